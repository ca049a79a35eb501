<?php

namespace Lab\Migration;

use Lab\Release;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;

/** Replaces all data by those of a file; by the runbook's own figures where none is named. */
final class SeedCommand extends Command
{
    private Release $release;

    public function __construct(Release $release)
    {
        parent::__construct('app:seed-migration');
        $this->setDescription('Replaces the data of migrations')->addArgument('file', InputArgument::OPTIONAL, 'JSON, as seed.json');
        $this->release = $release;
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $file = $input->getArgument('file') ?? $this->release->path('seed.json');
        $seed = json_decode((string) file_get_contents($file), true, 8, \JSON_THROW_ON_ERROR);
        $database = new Database($this->release);
        $database->create();
        $database->transaction(fn () => $this->replace($database, $seed));
        (new RunLog($this->release))->clear();
        $output->writeln(sprintf('%d centres, %d individus', \count($seed['centres']), \count($seed['individuals'])));

        return 0;
    }

    private function replace(Database $database, array $seed): void
    {
        foreach (['organization', 'custom_field', 'accommodation', 'individual', 'custom_value', 'effect'] as $table) {
            $database->execute("DELETE FROM $table");
        }
        foreach ($seed['centres'] as $centre) {
            $database->execute('INSERT INTO organization VALUES (?, ?)', [$centre['id'], $centre['name']]);
        }
        foreach ($seed['fields'] as $slug) {
            $database->execute('INSERT INTO custom_field VALUES (?)', [$slug]);
        }
        foreach ($seed['accommodations'] ?? [] as $a) {
            $database->execute('INSERT INTO accommodation VALUES (?, ?)', [$a['id'], $a['centre']]);
        }
        foreach ($seed['individuals'] as $i) {
            $database->execute('INSERT INTO individual VALUES (?, ?, ?, ?, ?, ?)', [$i['id'], $i['centre'], $i['household'],
                (int) ($i['principal'] ?? false), (int) ($i['deleted'] ?? false), $i['accommodation'] ?? null]);
            foreach ($i['values'] ?? [] as $slug => $value) {
                $database->execute('INSERT INTO custom_value VALUES (?, ?, ?)', [$i['id'], $slug, $value]);
            }
        }
    }
}
