<?php

namespace Lab\Migration;

use Lab\Release;

/**
 * How the migration command behaves beside its task, from shared/migration.json; a test turns them.
 * A unit passes no environment on, so they are in a file. lab/app/console reads the same one.
 */
final class Knobs
{
    public int $batch = 5;             // people per flush
    public float $delayMs = 0;         // per person moved
    public float $dryRunMs = 0;        // once per dry run
    public int $failAt = 0;            // an exception before this row
    public int $exitAt = 0;            // the process ends before this row, without a word
    public int $exitStatus = 255;
    public int $pauseAt = 0;           // waits before this row, until the file no longer says so
    public string $style = 'default';  // of the tables
    public ?bool $decorated = null;    // ANSI; as Symfony finds it, when null
    public int $wrap = 0;              // columns of a centre's name at most
    public bool $noise = false;        // log lines and deprecations among the output
    public int $driftPeople = 0;       // gain the value just before a real run
    public int $volume = 0;            // bytes of output before the tables
    public int $endless = 0;           // bytes of a last line without end
    public bool $invalidUtf8 = false;
    private Release $release;

    public function __construct(Release $release)
    {
        $this->release = $release;
        foreach ($this->read() as $name => $value) {
            $property = lcfirst(str_replace('_', '', ucwords($name, '_')));
            if (!property_exists($this, $property) || 'release' === $property) {
                throw new Refusal("shared/migration.json: unknown knob $name");
            }
            $this->$property = $value;
        }
    }

    /** Does what is asked for before the row, which is counted from 1. */
    public function atRow(int $row): void
    {
        if ($row === $this->pauseAt) {
            $this->pause();
        }
        usleep((int) ($this->delayMs * 1000));
        if ($row === $this->failAt) {
            throw new \RuntimeException("échec demandé à la ligne $row");
        }
        if ($row === $this->exitAt) {
            exit($this->exitStatus);
        }
    }

    /** shared/var/migration-paused is there while the command waits. */
    private function pause(): void
    {
        $sign = $this->release->shared('var/migration-paused');
        touch($sign);
        while (($this->read()['pause_at'] ?? 0) === $this->pauseAt) {
            usleep(10000);
        }
        unlink($sign);
    }

    private function read(): array
    {
        $text = @file_get_contents($this->release->shared('migration.json'));

        return false === $text ? [] : json_decode($text, true, 8, \JSON_THROW_ON_ERROR);
    }
}
