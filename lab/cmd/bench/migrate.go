package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/proto"
)

// ticket is one origin of the runbook's own.
const ticket = `version = 1
ticket = "https://trello.com/c/bench"
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
	if err := os.WriteFile(b.plan(), []byte(ticket), 0o644); err != nil {
		return err
	}
	if _, err := b.output(b.rpctl("agent", "install", "--env", "preprod", "--login", "admin", "--yes")); err != nil {
		return err
	}
	_, err = b.lab.Host(lab.Preprod).RunAs(b.ctx, "app", "php", current+"/bin/console", "app:seed-migration")
	return err
}

func (b *bench) plan() string { return filepath.Join(b.lab.Dir, "bench.toml") }

// step is what a step of a plan costs beside the console command itself: the start of the job, the
// checks and the receipt, shared among the steps.
func (b *bench) step() error {
	if err := b.withConsole(); err != nil {
		return err
	}
	host := b.lab.Host(lab.Preprod)
	php := []string{"php", current + "/bin/console", "app:migrate-individuals-to-other-organization",
		"--originOrganization=4537", "--destinationOrganization=5644", "--targetFieldSlug=migration-des-donnees", "--targetFieldValue=CHU 77", "--dry-run"}
	var alone, inJob []time.Duration
	for range b.runs {
		began := time.Now()
		if _, err := host.RunAs(b.ctx, "app", php...); err != nil {
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

// volume is how much a command prints for the measure of an attach, in bytes.
const volume = 1 << 30

// attach is a job's output through the agent against the same bytes by ssh.
func (b *bench) attach() error {
	host := b.lab.Host(lab.Preprod)
	knobs := lab.AppPath + "/shared/migration.json"
	if err := host.WriteFile(b.ctx, knobs, fmt.Appendf(nil, `{"volume":%d}`, volume), 0o644); err != nil {
		return err
	}
	// More than the agent reads for its tables: the job fails, and its output is there.
	_ = b.taken(b.rpctl("migrate", "--plan", b.plan(), "--env", "preprod"))
	job, err := b.lastJob()
	if err != nil {
		return err
	}
	found, err := host.Run(b.ctx, "find", "/var/lib/rp-agent-console/output", "-size", "+900M")
	if err != nil || strings.TrimSpace(found) == "" {
		return fmt.Errorf("there is no output of 1 GiB: %w: %q", err, found)
	}
	file := strings.Fields(found)[0]
	ours, peak, err := b.drained(b.rpctl("attach", string(job.ID), "--env", "preprod", "--from", "start", "--raw"))
	if err != nil {
		return err
	}
	theirs, _, err := b.drained(b.ssh("rp-preprod-admin", "sudo", "cat", file))
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "%-52s %8.1f s  / %8.1f s  = %.2f  (aim 1.0), rpctl at %d MB\n", "attach to 1 GiB / ssh HOST cat of the same bytes",
		ours.Seconds(), theirs.Seconds(), ours.Seconds()/theirs.Seconds(), peak>>10)
	return nil
}

// drained is how long a command takes to print all that it prints, and its peak memory in KiB. A job that
// failed is no failure of its viewer.
func (b *bench) drained(argv []string) (time.Duration, int64, error) {
	command := exec.CommandContext(b.ctx, argv[0], argv[1:]...)
	command.Dir = b.lab.WorkTree()
	began := time.Now()
	if err := command.Run(); command.ProcessState == nil {
		return 0, 0, err
	}
	usage, _ := command.ProcessState.SysUsage().(*syscall.Rusage)
	return time.Since(began), usage.Maxrss, nil
}
