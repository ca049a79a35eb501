<?php

namespace Lab\Migration;

/** A server, by a URL as Doctrine reads it: mysql://app@localhost/app?unix_socket=/run/mysqld/mysqld.sock */
final class MariaDb implements Dialect
{
    private array $url;
    private array $query = [];

    public function __construct(string $url)
    {
        $this->url = parse_url($url);
        parse_str($this->url['query'] ?? '', $this->query);
        if ('mysql' !== ($this->url['scheme'] ?? '') || !isset($this->url['host'], $this->url['path'])) {
            throw new \InvalidArgumentException('DATABASE_URL: want mysql://USER@HOST/NAME, or none for SQLite');
        }
    }

    public function connect(): \PDO
    {
        $socket = $this->query['unix_socket'] ?? null;
        $at = $socket ? "unix_socket=$socket" : "host={$this->url['host']};port=".($this->url['port'] ?? 3306);
        $name = ltrim($this->url['path'], '/');

        return new \PDO("mysql:$at;dbname=$name;charset=utf8mb4", $this->url['user'] ?? null, $this->url['pass'] ?? null,
            [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION, \PDO::ATTR_EMULATE_PREPARES => false]);
    }

    public function counting(): string
    {
        return 'AUTO_INCREMENT';
    }

    /** Exact, as the runbook has it: MariaDB's defaults take "chu 77" and "CHU 77 " for "CHU 77". */
    public function table(): string
    {
        return 'ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin';
    }

    public function readOnly(): string
    {
        return 'SET SESSION TRANSACTION READ ONLY';
    }

    public function begin(): string
    {
        return 'START TRANSACTION';
    }
}
