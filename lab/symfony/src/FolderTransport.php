<?php

namespace Lab;

use Symfony\Component\Messenger\Envelope;
use Symfony\Component\Messenger\Exception\TransportException;
use Symfony\Component\Messenger\Stamp\TransportMessageIdStamp;
use Symfony\Component\Messenger\Transport\Serialization\PhpSerializer;
use Symfony\Component\Messenger\Transport\TransportInterface;

/**
 * A queue that is a folder: a message is a file, and the worker that renames it has it.
 * A message whose worker was killed stays in taken/: that is how a test sees it cut off.
 */
final class FolderTransport implements TransportInterface
{
    private string $folder;
    private PhpSerializer $serializer;

    public function __construct(string $folder)
    {
        $this->folder = $folder;
        $this->serializer = new PhpSerializer();
    }

    public function get(): iterable
    {
        $files = glob($this->folder.'/*.message') ?: [];
        foreach ($files as $file) {
            $taken = $this->folder.'/taken/'.basename($file);
            if (@rename($file, $taken)) {
                $encoded = json_decode((string) file_get_contents($taken), true, 8, \JSON_THROW_ON_ERROR);

                return [$this->serializer->decode($encoded)->with(new TransportMessageIdStamp($taken))];
            }
        }

        return [];
    }

    public function ack(Envelope $envelope): void
    {
        $stamp = $envelope->last(TransportMessageIdStamp::class);
        unlink($stamp->getId());
    }

    public function reject(Envelope $envelope): void
    {
        $this->ack($envelope);
    }

    public function send(Envelope $envelope): Envelope
    {
        if (!is_dir($this->folder.'/taken') && !@mkdir($this->folder.'/taken', 0755, true)) {
            throw new TransportException("cannot make the queue folder {$this->folder}");
        }
        $name = sprintf('%s/%.6f-%d', $this->folder, microtime(true), getmypid());
        $encoded = json_encode($this->serializer->encode($envelope), \JSON_THROW_ON_ERROR);
        if (false === file_put_contents($name.'.part', $encoded) || !rename($name.'.part', $name.'.message')) {
            throw new TransportException("cannot write to the queue folder {$this->folder}");
        }

        return $envelope;
    }
}
