<?php

namespace Lab\Migration;

use Lab\Release;

/** shared/var/migration-runs.log: a line for each start of the command, dry runs too, with what PHP got as argv. */
final class RunLog
{
    private string $file;

    public function __construct(Release $release)
    {
        $this->file = $release->shared('var/migration-runs.log');
    }

    public function begin(bool $dryRun, array $argv): string
    {
        $run = bin2hex(random_bytes(8));
        $line = ['run' => $run, 'dry_run' => $dryRun, 'args' => $argv, 'at' => (new \DateTime())->format('Y-m-d\TH:i:s.vP')];
        $json = json_encode($line, \JSON_THROW_ON_ERROR | \JSON_UNESCAPED_UNICODE | \JSON_UNESCAPED_SLASHES | \JSON_INVALID_UTF8_SUBSTITUTE);
        file_put_contents($this->file, $json."\n", \FILE_APPEND | \LOCK_EX);

        return $run;
    }

    public function all(): array
    {
        $lines = is_file($this->file) ? file($this->file, \FILE_IGNORE_NEW_LINES) : [];

        return array_map(static fn (string $line): array => json_decode($line, true, 8, \JSON_THROW_ON_ERROR), $lines);
    }

    public function clear(): void
    {
        @unlink($this->file);
    }
}
