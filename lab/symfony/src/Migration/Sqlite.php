<?php

namespace Lab\Migration;

/** A file of the application's own. */
final class Sqlite implements Dialect
{
    private string $file;

    public function __construct(string $file)
    {
        $this->file = $file;
    }

    public function connect(): \PDO
    {
        $pdo = new \PDO('sqlite:'.$this->file, null, null, [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION]);
        $pdo->exec('PRAGMA busy_timeout = 10000');
        $pdo->exec('PRAGMA journal_mode = WAL');

        return $pdo;
    }

    public function counting(): string
    {
        return 'AUTOINCREMENT';
    }

    public function table(): string
    {
        return '';
    }

    public function readOnly(): string
    {
        return 'PRAGMA query_only = 1';
    }

    public function begin(): string
    {
        return 'BEGIN IMMEDIATE';
    }
}
