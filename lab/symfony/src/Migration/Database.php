<?php

namespace Lab\Migration;

use Lab\Release;

/** The application's data, as far as migrations read and change it: in MariaDB where DATABASE_URL says so, else in SQLite. */
final class Database
{
    // %1$s counts ids up, %2$s says what kind of table it is.
    private const TABLES = [
        'CREATE TABLE IF NOT EXISTS organization (id INTEGER PRIMARY KEY, name TEXT NOT NULL) %2$s',
        'CREATE TABLE IF NOT EXISTS custom_field (slug VARCHAR(255) PRIMARY KEY) %2$s',
        'CREATE TABLE IF NOT EXISTS accommodation (id INTEGER PRIMARY KEY, organization_id INTEGER NOT NULL) %2$s',
        'CREATE TABLE IF NOT EXISTS individual (
            id INTEGER PRIMARY KEY, organization_id INTEGER NOT NULL, household_id INTEGER NOT NULL,
            principal INTEGER NOT NULL, deleted INTEGER NOT NULL, accommodation_id INTEGER) %2$s',
        'CREATE INDEX IF NOT EXISTS household ON individual (household_id)',
        'CREATE TABLE IF NOT EXISTS custom_value (
            individual_id INTEGER NOT NULL, slug VARCHAR(255) NOT NULL, value TEXT NOT NULL, PRIMARY KEY (individual_id, slug)) %2$s',
        'CREATE TABLE IF NOT EXISTS effect (
            id INTEGER PRIMARY KEY %1$s, run TEXT NOT NULL, kind TEXT NOT NULL, subject INTEGER NOT NULL,
            origin INTEGER, destination INTEGER, at TEXT NOT NULL) %2$s',
    ];

    private Dialect $dialect;
    private \PDO $pdo;

    public function __construct(Release $release)
    {
        $url = $release->setting('DATABASE_URL');
        $this->dialect = $url ? new MariaDb($url) : new Sqlite($release->shared('var/app.db'));
        $this->pdo = $this->dialect->connect();
    }

    /** Makes the tables that are not there, as an application's deploy does. */
    public function create(): void
    {
        foreach (self::TABLES as $table) {
            $this->pdo->exec(sprintf($table, $this->dialect->counting(), $this->dialect->table()));
        }
    }

    /** What a dry run promises, kept by the database itself. */
    public function readOnly(): void
    {
        $this->pdo->exec($this->dialect->readOnly());
    }

    public function execute(string $sql, array $values = []): void
    {
        $this->pdo->prepare($sql)->execute($values);
    }

    /** @return array<array<string, mixed>> */
    public function rows(string $sql, array $values = []): array
    {
        $statement = $this->pdo->prepare($sql);
        $statement->execute($values);

        return $statement->fetchAll(\PDO::FETCH_ASSOC);
    }

    /** @return mixed the first column of the first row, null where there is none */
    public function value(string $sql, array $values = [])
    {
        $rows = $this->rows($sql, $values);

        return $rows ? reset($rows[0]) : null;
    }

    /** Runs $work as one transaction, as Doctrine's flush does. */
    public function transaction(callable $work): void
    {
        $this->pdo->exec($this->dialect->begin());
        try {
            $work();
            $this->pdo->exec('COMMIT');
        } catch (\Throwable $e) {
            try {
                $this->pdo->exec('ROLLBACK');
            } catch (\PDOException $gone) {
                // A connection that is gone took its transaction along; the first error says why.
            }
            throw $e;
        }
    }
}
