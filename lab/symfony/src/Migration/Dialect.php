<?php

namespace Lab\Migration;

/** What one kind of database says in its own way. */
interface Dialect
{
    public function connect(): \PDO;

    /** how a column counts up by itself */
    public function counting(): string;

    /** what follows a table's columns */
    public function table(): string;

    /** lets the connection change nothing from here on */
    public function readOnly(): string;

    public function begin(): string;
}
