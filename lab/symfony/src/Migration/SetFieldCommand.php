<?php

namespace Lab\Migration;

use Lab\Release;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;

/** Fills in a field of a person, as a social worker does in the application while a plan waits for approval. */
final class SetFieldCommand extends Command
{
    private Release $release;

    public function __construct(Release $release)
    {
        parent::__construct('app:set-field');
        $this->setDescription('Fills in a custom field of an individual')
            ->addArgument('individual', InputArgument::REQUIRED)
            ->addArgument('slug', InputArgument::REQUIRED)
            ->addArgument('value', InputArgument::REQUIRED, 'empty to clear the field');
        $this->release = $release;
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $database = new Database($this->release);
        $key = [(int) $input->getArgument('individual'), $input->getArgument('slug')];
        $database->execute('REPLACE INTO custom_value VALUES (?, ?, ?)', [...$key, $input->getArgument('value')]);

        return 0;
    }
}
