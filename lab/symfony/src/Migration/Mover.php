<?php

namespace Lab\Migration;

/** Moves people in batches, each flushed by itself: what a command that dies in the middle has flushed, stays. */
final class Mover
{
    private Database $database;
    private Rule $rule;
    private Knobs $knobs;
    private string $run;

    public function __construct(Database $database, Rule $rule, Knobs $knobs, string $run)
    {
        $this->database = $database;
        $this->rule = $rule;
        $this->knobs = $knobs;
        $this->run = $run;
    }

    /** @param callable(): void $moved is called after each person */
    public function move(Survey $survey, callable $moved): void
    {
        $shared = $survey->conflicts();
        $row = 0;
        foreach (array_chunk($survey->individuals, $this->knobs->batch) as $batch) {
            // Entities are loaded and changed in memory; the database sees them at the flush.
            foreach ($batch as $individual) {
                $this->knobs->atRow(++$row);
                $moved();
            }
            $this->database->transaction(function () use ($batch, $shared): void {
                foreach ($batch as $individual) {
                    $this->one($individual, $shared);
                }
            });
        }
    }

    private function one(int $individual, array $shared): void
    {
        $spot = $this->database->value('SELECT accommodation_id FROM individual WHERE id = ?', [$individual]);
        if (null !== $spot) {
            $this->rule->withAccommodations ? $this->take((int) $spot, $shared[$spot][0] ?? []) : $this->detach($individual);
        }
        $this->database->execute('UPDATE individual SET organization_id = ? WHERE id = ?', [$this->rule->destination, $individual]);
        $this->log('moved', $individual, $this->rule->origin, $this->rule->destination);
    }

    /** The accommodation goes along, and those who stay lose it. */
    private function take(int $accommodation, array $staying): void
    {
        $of = (int) $this->database->value('SELECT organization_id FROM accommodation WHERE id = ?', [$accommodation]);
        if ($of !== $this->rule->origin) {
            return; // it went with somebody before
        }
        $this->database->execute('UPDATE accommodation SET organization_id = ? WHERE id = ?', [$this->rule->destination, $accommodation]);
        $this->log('accommodation', $accommodation, $this->rule->origin, $this->rule->destination);
        foreach ($staying as $individual) {
            $this->detach($individual);
        }
    }

    private function detach(int $individual): void
    {
        $this->database->execute('UPDATE individual SET accommodation_id = NULL WHERE id = ?', [$individual]);
        $this->log('detached', $individual, null, null);
    }

    private function log(string $kind, int $subject, ?int $origin, ?int $destination): void
    {
        $this->database->execute('INSERT INTO effect (run, kind, subject, origin, destination, at) VALUES (?, ?, ?, ?, ?, ?)',
            [$this->run, $kind, $subject, $origin, $destination, (new \DateTime())->format('Y-m-d\TH:i:s.vP')]);
    }
}
