<?php

namespace Lab\Migration;

/** Other users of the application, who change data while a plan is under way. */
final class Drift
{
    private Database $database;
    private Rule $rule;

    public function __construct(Database $database, Rule $rule)
    {
        $this->database = $database;
        $this->rule = $rule;
    }

    /** Gives the rule's value to the last people of the origin whose household has no value at all. */
    public function apply(int $people): void
    {
        if (0 === $people || null === $this->rule->slug) {
            return;
        }
        $found = $this->database->rows('SELECT id FROM individual i WHERE organization_id = ? AND deleted = 0 AND NOT EXISTS
            (SELECT 1 FROM individual m JOIN custom_value v ON v.individual_id = m.id WHERE m.household_id = i.household_id AND v.slug = ?)
            ORDER BY id DESC LIMIT '.$people, [$this->rule->origin, $this->rule->slug]);
        foreach ($found as $row) {
            $this->database->execute('REPLACE INTO custom_value VALUES (?, ?, ?)', [$row['id'], $this->rule->slug, $this->rule->value]);
        }
    }
}
