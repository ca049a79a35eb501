<?php

namespace Lab\Migration;

use Lab\Release;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;

/** Tells as JSON what really happened, from the application's own data: what a test believes instead of any output. */
final class EffectsCommand extends Command
{
    private Release $release;

    public function __construct(Release $release)
    {
        parent::__construct('app:migration-effects');
        $this->setDescription('Tells what migrations did, as JSON');
        $this->release = $release;
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $database = new Database($this->release);
        $database->readOnly();
        $told = [
            'runs' => (new RunLog($this->release))->all(),
            'effects' => $database->rows('SELECT run, kind, subject, origin, destination, at FROM effect ORDER BY id'),
            'centres' => $database->rows('SELECT id, name, (SELECT COUNT(*) FROM individual WHERE organization_id = o.id) AS follow_ups
                FROM organization o ORDER BY id'),
            'individuals' => $database->rows('SELECT id, organization_id AS centre, accommodation_id AS accommodation FROM individual ORDER BY id'),
            'accommodations' => $database->rows('SELECT id, organization_id AS centre FROM accommodation ORDER BY id'),
        ];
        $output->writeln(json_encode($told, \JSON_THROW_ON_ERROR | \JSON_UNESCAPED_UNICODE | \JSON_UNESCAPED_SLASHES), OutputInterface::OUTPUT_RAW);

        return 0;
    }
}
