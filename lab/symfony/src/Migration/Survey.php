<?php

namespace Lab\Migration;

/** What a rule would do to the data as they are: read once, before anything is moved. */
final class Survey
{
    private Database $database;
    private Rule $rule;
    /** SQL for the people that the rule can see at all: others are as good as not there. */
    private string $seen;
    /** @var int[] in the order in which they move */
    public array $individuals;

    /** @throws Refusal where a centre or the field does not exist */
    public function __construct(Database $database, Rule $rule)
    {
        $this->database = $database;
        $this->rule = $rule;
        $this->seen = $rule->withDeleted ? '1' : 'deleted = 0';
        foreach (["d'origine" => $rule->origin, 'de destination' => $rule->destination] as $which => $id) {
            if (null === $this->name($id)) {
                throw new Refusal("Centre $which introuvable: $id");
            }
        }
        if (null !== $rule->slug && null === $database->value('SELECT slug FROM custom_field WHERE slug = ?', [$rule->slug])) {
            throw new Refusal("Champ introuvable: $rule->slug");
        }
        $this->individuals = $this->chosen();
    }

    public function name(int $id): ?string
    {
        return $this->database->value('SELECT name FROM organization WHERE id = ?', [$id]);
    }

    /** Nb. suivis: every follow-up of the centre, whatever the options, so that the total never depends on them. */
    public function followUps(int $centre): int
    {
        return (int) $this->database->value('SELECT COUNT(*) FROM individual WHERE organization_id = ?', [$centre]);
    }

    /** @return int[] the accommodations of the origin in which someone lives who moves */
    public function accommodations(): array
    {
        $found = [];
        foreach ($this->tenants() as $accommodation => $tenants) {
            if (array_intersect($tenants, $this->individuals)) {
                $found[] = $accommodation;
            }
        }

        return $found;
    }

    /** @return array<int, array{int[], int[]}> accommodation => those who stay, those who move; only shared ones */
    public function conflicts(): array
    {
        $found = [];
        foreach ($this->tenants() as $accommodation => $tenants) {
            $moving = array_values(array_intersect($tenants, $this->individuals));
            $staying = array_values(array_diff($tenants, $this->individuals));
            if ($moving && $staying) {
                $found[$accommodation] = [$staying, $moving];
            }
        }

        return $found;
    }

    /** @return array<int, int[]> accommodation of the origin => its people of the origin */
    private function tenants(): array
    {
        $tenants = [];
        $sql = "SELECT a.id AS accommodation, i.id FROM accommodation a JOIN individual i ON i.accommodation_id = a.id
            WHERE a.organization_id = ? AND i.organization_id = ? AND $this->seen ORDER BY a.id, i.id";
        foreach ($this->database->rows($sql, [$this->rule->origin, $this->rule->origin]) as $row) {
            $tenants[(int) $row['accommodation']][] = (int) $row['id'];
        }

        return $tenants;
    }

    /**
     * A household goes where its principal member's value says; where that one has none, the first
     * other member's with a value. Members already moved are asked too: a run that broke off in the
     * middle of a household must find the rest of it.
     *
     * @return int[]
     */
    private function chosen(): array
    {
        $all = array_map('intval', array_column($this->database->rows(
            "SELECT id FROM individual WHERE organization_id = ? AND $this->seen ORDER BY id", [$this->rule->origin]), 'id'));
        if (null === $this->rule->slug) {
            return $all;
        }
        // The database compares, as an application's query lets it: by its collation.
        $matches = [];
        $sql = "SELECT i.household_id AS household, v.value = ? AS matches FROM individual i JOIN custom_value v ON v.individual_id = i.id
            WHERE v.slug = ? AND v.value <> '' AND $this->seen ORDER BY i.principal DESC, i.id";
        foreach ($this->database->rows($sql, [$this->rule->value, $this->rule->slug]) as $row) {
            $matches[$row['household']] ??= (bool) $row['matches'];
        }
        $household = array_column($this->database->rows('SELECT id, household_id FROM individual'), 'household_id', 'id');

        return array_values(array_filter($all, fn (int $id): bool => $matches[$household[$id]] ?? false));
    }
}
