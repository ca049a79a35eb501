package main

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/app/console"
)

const (
	// volume is how much a command prints for the measure of an attach, in bytes.
	volume = 240 << 20 // a dry run may print 512 MiB
	// drains is how often each road is taken.
	drains = 5
)

// attach is a job's output through the agent against the same bytes by ssh.
func (b *bench) attach() error {
	if err := b.turn(console.Knobs{Volume: volume}); err != nil {
		return err
	}
	// More than the agent reads for its tables: the job fails, and its output is there.
	_ = b.taken(b.rpctl("migrate", "--plan", b.plan(), "--env", "preprod"))
	job, err := b.lastJob()
	if err != nil {
		return err
	}
	found, err := b.lab.Host(lab.Preprod).Run(b.ctx, "find", "/var/lib/rp-agent-console/output", "-size", "+200M")
	if err != nil || strings.TrimSpace(found) == "" {
		return fmt.Errorf("there is no output of 240 MiB: %w: %q", err, found)
	}
	file := strings.Fields(found)[0]
	var ours, theirs []time.Duration
	var most int64
	for range drains {
		took, peak, err := b.drained(b.rpctl("attach", string(job.ID), "--env", "preprod", "--from", "start", "--raw"))
		if err != nil {
			return err
		}
		ours, most = append(ours, took), max(most, peak)
		if took, _, err = b.drained(b.ssh("rp-preprod-admin", "sudo", "cat", file)); err != nil {
			return err
		}
		theirs = append(theirs, took)
	}
	a, c := median(ours), median(theirs)
	fmt.Fprintf(b.out, "%-52s %8.1f s  / %8.1f s  = %.2f  (aim 1.0), rpctl at %.0f MB\n", "attach to 240 MiB / ssh HOST cat of the same bytes",
		a.Seconds(), c.Seconds(), a.Seconds()/c.Seconds(), kib(most))
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
