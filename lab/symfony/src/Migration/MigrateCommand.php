<?php

namespace Lab\Migration;

use Lab\Release;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Console\Helper\ProgressBar;
use Symfony\Component\Console\Helper\Table;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\ConsoleOutputInterface;
use Symfony\Component\Console\Output\OutputInterface;

/** Moves people's files from one centre to another: options, tables and texts are the runbook's. */
final class MigrateCommand extends Command
{
    private Release $release;

    public function __construct(Release $release)
    {
        parent::__construct('app:migrate-individuals-to-other-organization');
        $this->release = $release;
    }

    protected function configure(): void
    {
        $this->setDescription('Migre des dossiers usagers vers un autre centre')
            ->addOption('originOrganization', 'o', InputOption::VALUE_REQUIRED, "ID du centre d'origine")
            ->addOption('destinationOrganization', 'd', InputOption::VALUE_REQUIRED, 'ID du centre de destination')
            ->addOption('targetFieldSlug', 'f', InputOption::VALUE_REQUIRED, 'Slug du champ personnalisé')
            ->addOption('targetFieldValue', 't', InputOption::VALUE_REQUIRED, 'Valeur du champ qui déclenche la migration')
            ->addOption('noField', null, InputOption::VALUE_NONE, 'Migrer tous les individus')
            ->addOption('withDeleted', null, InputOption::VALUE_NONE, 'Inclure les individus supprimés')
            ->addOption('withAccommodations', null, InputOption::VALUE_NONE, 'Migrer également les hébergements')
            ->addOption('dry-run', null, InputOption::VALUE_NONE, 'Simulation: aucune donnée modifiée');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $dryRun = $input->getOption('dry-run');
        $run = (new RunLog($this->release))->begin($dryRun, \array_slice($_SERVER['argv'], 2));
        try {
            $knobs = new Knobs($this->release);
            $this->decorate($output, $knobs);
            $rule = Rule::from($input);
            $database = new Database($this->release);
            $dryRun ? $database->readOnly() : (new Drift($database, $rule))->apply($knobs->driftPeople);
            $survey = new Survey($database, $rule);
        } catch (Refusal $refusal) {
            $output->writeln('<error>'.OutputFormatter::escape($refusal->getMessage()).'</error>');

            return 1;
        }
        $noise = new Noise($output, $knobs);
        $noise->before();
        $this->show($output, $rule, $survey, $knobs, $noise);
        if ($dryRun) {
            usleep((int) ($knobs->dryRunMs * 1000));
        } else {
            $this->move($output, $survey, new Mover($database, $rule, $knobs, $run));
        }
        $noise->after();

        return 0;
    }

    private function decorate(OutputInterface $output, Knobs $knobs): void
    {
        if (null === $knobs->decorated) {
            return;
        }
        $output->setDecorated($knobs->decorated);
        if ($output instanceof ConsoleOutputInterface) {
            $output->getErrorOutput()->setDecorated($knobs->decorated);
        }
    }

    private function show(OutputInterface $output, Rule $rule, Survey $survey, Knobs $knobs, Noise $noise): void
    {
        $moved = \count($survey->individuals);
        $from = $survey->followUps($rule->origin);
        $to = $survey->followUps($rule->destination);
        $table = new Table($output);
        $table->setStyle($knobs->style);
        if ($knobs->wrap) {
            $table->setColumnMaxWidth(2, $knobs->wrap);
        }
        $table->setHeaders(['Rôle', 'Centre ID', 'Centre Nom', 'Nb. suivis', 'Après migration'])->setRows([
            ['Origine', $rule->origin, OutputFormatter::escape($survey->name($rule->origin)), $from, sprintf('%d (- %d migrés)', $from - $moved, $moved)],
            ['Destination', $rule->destination, OutputFormatter::escape($survey->name($rule->destination)), $to, sprintf('%d (+ %d entrants)', $to + $moved, $moved)],
        ])->render();
        $noise->between();
        if ($rule->withAccommodations) {
            $this->showAccommodations($output, $rule, $survey, $knobs);
        }
    }

    private function showAccommodations(OutputInterface $output, Rule $rule, Survey $survey, Knobs $knobs): void
    {
        $output->writeln('<info>Hébergements à migrer: '.\count($survey->accommodations()).'</info>');
        $conflicts = $survey->conflicts();
        if (!$conflicts) {
            return;
        }
        $output->writeln('<error>Problème: Hébergements avec individus non migrés rattachés</error>');
        $table = new Table($output);
        $table->setStyle($knobs->style)->setHeaders(['Centre ID', 'Hébergement ID', 'Individus non migrés', 'Individus migrés']);
        foreach ($conflicts as $accommodation => [$staying, $moving]) {
            $table->addRow([$rule->origin, $accommodation, implode(', ', $staying), implode(', ', $moving)]);
        }
        $table->render();
    }

    private function move(OutputInterface $output, Survey $survey, Mover $mover): void
    {
        $people = \count($survey->individuals);
        if ($people) {
            $this->moveWithBar($output, $survey, $mover, $people);
        }
        $output->writeln("<info>Migration terminée: $people suivis migrés</info>");
    }

    private function moveWithBar(OutputInterface $output, Survey $survey, Mover $mover, int $people): void
    {
        $bar = new ProgressBar($output, $people, 0);
        // By rows alone and not by the clock: the same run prints the same bytes.
        $bar->setRedrawFrequency(5);
        $bar->maxSecondsBetweenRedraws(1e9);
        $bar->start();
        $mover->move($survey, static function () use ($bar): void { $bar->advance(); });
        $bar->finish();
        ($output instanceof ConsoleOutputInterface ? $output->getErrorOutput() : $output)->writeln('');
    }
}
