<?php

namespace Lab\Migration;

/** The application's data in SQLite, as far as migrations read and change it; shared/var/app.db. */
final class Database
{
    private const TABLES = <<<'SQL'
        CREATE TABLE IF NOT EXISTS organization (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS custom_field (slug TEXT PRIMARY KEY);
        CREATE TABLE IF NOT EXISTS accommodation (id INTEGER PRIMARY KEY, organization_id INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS individual (
            id INTEGER PRIMARY KEY, organization_id INTEGER NOT NULL, household_id INTEGER NOT NULL,
            principal INTEGER NOT NULL, deleted INTEGER NOT NULL, accommodation_id INTEGER);
        CREATE INDEX IF NOT EXISTS household ON individual (household_id);
        CREATE TABLE IF NOT EXISTS custom_value (
            individual_id INTEGER NOT NULL, slug TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (individual_id, slug));
        CREATE TABLE IF NOT EXISTS effect (
            id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, kind TEXT NOT NULL, subject INTEGER NOT NULL,
            origin INTEGER, destination INTEGER, at TEXT NOT NULL);
        SQL;

    private \PDO $pdo;

    public function __construct(string $file)
    {
        $this->pdo = new \PDO('sqlite:'.$file, null, null, [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION]);
        $this->pdo->exec('PRAGMA busy_timeout = 10000');
        $this->pdo->exec('PRAGMA journal_mode = WAL');
        $this->pdo->exec(self::TABLES);
    }

    /** What a dry run promises, kept by the database itself. */
    public function readOnly(): void
    {
        $this->pdo->exec('PRAGMA query_only = 1');
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
        $this->pdo->exec('BEGIN IMMEDIATE');
        try {
            $work();
            $this->pdo->exec('COMMIT');
        } catch (\Throwable $e) {
            $this->pdo->exec('ROLLBACK');
            throw $e;
        }
    }
}
