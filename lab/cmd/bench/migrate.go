package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/proto"
)

// ticket is one origin of the runbook's own.
const ticket = `version = 1
ticket = "https://trello.com/c/%s"
centre = "France Fraternités"
field = "migration-des-donnees"

[centres]
4537 = "France Fraternités - CHU 75"
4960 = "France Fraternités - CPH"
5634 = "France Fraternités - DAHAR"
5644 = "France Fraternités - CHU 77"

[[groups]]
steps = [
  { origin = 4537, destination = 5644, value = "CHU 77" },
  { origin = 4537, destination = 4960, value = "CPH" },
  { origin = 4537, destination = 5634, value = "DAHAR" },
]
`

const current = lab.AppPath + "/current"

// withConsole lets preprod run migrations, and makes the data and the plan.
func (b *bench) withConsole() error {
	inventory, err := os.ReadFile(b.lab.HostsTOML())
	if err != nil {
		return err
	}
	if !strings.Contains(string(inventory), "[environments.preprod.console]") {
		inventory = append(inventory, "\n[environments.preprod.console]\nphp = \"/usr/bin/php\"\nscript = \"bin/console\"\n"...)
		if err := os.WriteFile(b.lab.HostsTOML(), inventory, 0o644); err != nil {
			return err
		}
	}
	if err := b.write("bench"); err != nil {
		return err
	}
	for _, verb := range []string{"install", "pin"} {
		if _, err := b.output(b.rpctl("agent", verb, "--env", "preprod", "--login", "admin", "--yes", "--unreviewed", "a lab")); err != nil {
			return err
		}
	}
	_, err = b.console("app:seed-migration")
	return err
}

func (b *bench) plan() string { return filepath.Join(b.lab.Dir, "bench.toml") }

// write writes the plan of a ticket.
func (b *bench) write(name string) error {
	return os.WriteFile(b.plan(), fmt.Appendf(nil, ticket, name), 0o644)
}

// console runs a command of the application as its user.
func (b *bench) console(args ...string) (string, error) {
	return b.lab.Host(lab.Preprod).RunAs(b.ctx, "app", append([]string{"php", current + "/bin/console"}, args...)...)
}

// turn sets how the application's command behaves.
func (b *bench) turn(knobs console.Knobs) error {
	text, err := json.Marshal(knobs)
	if err != nil {
		return err
	}
	return b.lab.Host(lab.Preprod).WriteFile(b.ctx, lab.AppPath+"/shared/migration.json", text, 0o644)
}

// step is what a step of a plan costs beside the console command itself: the start of the job, the
// checks and the receipt, shared among the steps.
func (b *bench) step() error {
	if err := b.withConsole(); err != nil {
		return err
	}
	dry := []string{"app:migrate-individuals-to-other-organization",
		"--originOrganization=4537", "--destinationOrganization=5644", "--targetFieldSlug=migration-des-donnees", "--targetFieldValue=CHU 77", "--dry-run"}
	var alone, inJob []time.Duration
	for range b.runs {
		began := time.Now()
		if _, err := b.console(dry...); err != nil {
			return err
		}
		alone = append(alone, time.Since(began))
		if _, err := b.output(b.rpctl("migrate", "--plan", b.plan(), "--env", "preprod")); err != nil {
			return err
		}
		job, err := b.lastJob()
		if err != nil {
			return err
		}
		inJob = append(inJob, job.Ended.Sub(job.Created)/time.Duration(len(job.Steps)))
	}
	a, c := median(inJob), median(alone)
	fmt.Fprintf(b.out, "%-52s %8.1f ms / %8.1f ms, %.1f ms added  (aim 150 ms)\n", "a dry run as a step / the same command by hand", ms(a), ms(c), ms(a-c))
	return nil
}

// lastJob is preprod's newest job, by the host's own word.
func (b *bench) lastJob() (proto.Job, error) {
	out, err := b.output(b.ssh("rp-preprod", "rp-agent", "jobs", "--json"))
	if err != nil {
		return proto.Job{}, err
	}
	var list proto.JobList
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Jobs) == 0 {
		return proto.Job{}, fmt.Errorf("no jobs in %q: %w", out, err)
	}
	return list.Jobs[0], nil
}
