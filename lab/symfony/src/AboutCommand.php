<?php

namespace Lab;

use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;

final class AboutCommand extends Command
{
    private Release $release;

    public function __construct(Release $release)
    {
        parent::__construct('about');
        $this->setDescription('Says which release this is');
        $this->release = $release;
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $output->writeln('release '.$this->release->name());
        $output->writeln('revision '.$this->release->revision());

        return 0;
    }
}
