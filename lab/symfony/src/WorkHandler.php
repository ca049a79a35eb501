<?php

namespace Lab;

/** Takes its time, then says in shared/done.log that the message was handled to its end. */
final class WorkHandler
{
    private Release $release;

    public function __construct(Release $release)
    {
        $this->release = $release;
    }

    public function __invoke(Work $work): void
    {
        $this->log('begun.log', $work);
        // A signal cuts a sleep short; the message still takes as long as it says.
        $end = microtime(true) + $work->seconds;
        while (($left = $end - microtime(true)) > 0) {
            usleep((int) min(100000, $left * 1e6));
        }
        $this->log('done.log', $work);
    }

    private function log(string $file, Work $work): void
    {
        $line = sprintf("%s release=%s pid=%d worker=%s\n", $work->id, $this->release->name(), getmypid(), getenv('WORKER') ?: '-');
        file_put_contents($this->release->shared($file), $line, \FILE_APPEND | \LOCK_EX);
    }
}
