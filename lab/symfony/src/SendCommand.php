<?php

namespace Lab;

use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Messenger\Envelope;

final class SendCommand extends Command
{
    /** @var array<string, FolderTransport> */
    private array $transports;

    public function __construct(array $transports)
    {
        parent::__construct('app:send');
        $this->setDescription('Queues a message that takes some seconds; shared/done.log tells when it was handled');
        $this->addArgument('transport', InputArgument::REQUIRED, implode(', ', array_keys($transports)));
        $this->addArgument('id', InputArgument::REQUIRED, 'how done.log calls it');
        $this->addArgument('seconds', InputArgument::OPTIONAL, 'how long it takes', '1');
        $this->transports = $transports;
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $name = $input->getArgument('transport');
        if (!isset($this->transports[$name])) {
            $output->writeln("no transport $name: there are ".implode(', ', array_keys($this->transports)));

            return 1;
        }
        $work = new Work($input->getArgument('id'), (float) $input->getArgument('seconds'));
        $this->transports[$name]->send(new Envelope($work));

        return 0;
    }
}
