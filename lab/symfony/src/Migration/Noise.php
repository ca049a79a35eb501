<?php

namespace Lab\Migration;

use Symfony\Component\Console\Output\OutputInterface;

/** What a real console prints beside its tables: logs, deprecations, much of it, or bytes that are no text. */
final class Noise
{
    private OutputInterface $output;
    private Knobs $knobs;

    public function __construct(OutputInterface $output, Knobs $knobs)
    {
        $this->output = $output;
        $this->knobs = $knobs;
    }

    public function before(): void
    {
        if ($this->knobs->noise) {
            $this->raw("PHP Deprecated:  Function strftime() is deprecated in /app/src/Report.php on line 41\n");
            $this->raw("12:00:01 INFO      [app] Migration [\"origin\" => 4537]\n");
        }
        if ($this->knobs->invalidUtf8) {
            $this->raw("12:00:01 WARNING   [app] Nom illisible: Ren\xe9 \xff\xfe\n");
        }
        // Lines of 100 bytes, many at once: a test may ask for a gigabyte.
        $line = str_repeat('.', 99)."\n";
        for ($lines = (int) ceil($this->knobs->volume / 100); $lines > 0; $lines -= 1000) {
            $this->raw(str_repeat($line, min(1000, $lines)));
        }
    }

    public function between(): void
    {
        if ($this->knobs->noise) {
            $this->raw("12:00:01 DEBUG     [doctrine] SELECT | id | FROM accommodation\n");
        }
    }

    public function after(): void
    {
        for ($left = $this->knobs->endless; $left > 0; $left -= 100) {
            $this->raw(str_repeat('=', min(100, $left)));
        }
    }

    private function raw(string $bytes): void
    {
        $this->output->write($bytes, false, OutputInterface::OUTPUT_RAW);
    }
}
