<?php

namespace Lab;

use Symfony\Component\EventDispatcher\EventDispatcherInterface;
use Symfony\Component\Messenger\Event\WorkerRunningEvent;

/**
 * Makes a worker bad on purpose: shared/faults/UNIT (messenger_worker_async@1, without .service) says how.
 *   crash  it ends with status 1 after 0.3 s
 *   deaf   it ignores SIGTERM, so that only TimeoutStopSec ends it
 */
final class Fault
{
    public static function apply(Release $release, EventDispatcherInterface $dispatcher, string $command): void
    {
        $worker = getenv('WORKER');
        if (!$worker || 'messenger:consume' !== $command) {
            return;
        }
        switch (trim((string) @file_get_contents($release->shared("faults/$worker")))) {
            case 'crash':
                usleep(300000);
                fwrite(\STDERR, "PHP Fatal error: made to fail by the lab\n");
                exit(1);
            case 'deaf':
                // Messenger sets its handlers when it starts: ignore the signal after that, and again on every round.
                $dispatcher->addListener(WorkerRunningEvent::class, static function (): void {
                    pcntl_signal(\SIGTERM, \SIG_IGN);
                });
        }
    }
}
