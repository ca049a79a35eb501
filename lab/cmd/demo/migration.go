package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// ticket is a plan as it is copied from a ticket: two centres that exchange people, so two groups.
const ticket = `version = 1
ticket = "https://trello.com/c/demo"
centre = "France Fraternités"
field = "migration-des-donnees"

[centres]
4537 = "France Fraternités - CHU 75"
4960 = "France Fraternités - CPH"
5644 = "France Fraternités - CHU 77"

[[groups]]
steps = [
  { origin = 4537, destination = 5644, value = "CHU 77" },
  { origin = 4537, destination = 4960, value = "CPH" },
]

[[groups]]
steps = [{ origin = 4960, destination = 4537, value = "CHU 75" }]
`

// migration is the story of a ticket: simulated, approved, applied in preprod, then in prod.
var migration = []scene{
	{"A ticket moves people between centres: first, nothing but dry runs", []step{
		wrote("plan.toml", ticket),
		typed("rpctl plan check ../plan.toml", 0, "3 steps in 2 groups"),
		typed("rpctl migrate --plan ../plan.toml --env preprod", 0, "160 → 119"),
		say("What the product owner is asked:"),
		typed("rpctl migrate report --plan ../plan.toml --env preprod --format slack", 0,
			"→ vers CHU 77 (ID 5644) : 41 migrés | reste 119"),
	}},
	{"Nothing real runs that nobody approved, and nothing in prod that preprod has not proved", []step{
		typed("rpctl migrate --apply --plan ../plan.toml --env preprod --yes", 4, "gate 3 (approval) is closed"),
		typed("rpctl migrate approve --plan ../plan.toml --env preprod --key ../id_claire --yes", 0),
		typed("rpctl migrate --plan ../plan.toml --env prod", 0),
		typed("rpctl migrate approve --plan ../plan.toml --env prod --key ../id_claire --yes", 0),
		typed("rpctl migrate --apply --plan ../plan.toml --env prod --yes", 4, "gate 4 (before) is closed"),
	}},
	{"Preprod, step by step, each checked before and after; then prod", []step{
		typed("rpctl migrate --apply --plan ../plan.toml --env preprod --yes", 0, "applied and verified on rp-preprod"),
		typed("rpctl migrate --apply --plan ../plan.toml --env prod --yes", 0, "applied and verified on rp-prod"),
		say("And once more, by a tired operator:"),
		typed("rpctl migrate --apply --plan ../plan.toml --env prod --yes", 4, "every step of this plan is verified already"),
		typed("rpctl jobs --env prod", 0, "succeeded"),
	}},
}

// wrote writes a file beside the work tree, as an editor would.
func wrote(name, text string) step {
	return func(s *stage) error {
		fmt.Fprintf(s.out, "\n$ cat ../%s\n%s", name, text)
		return os.WriteFile(filepath.Join(s.lab.Dir(), name), []byte(text), 0o644)
	}
}
