package migration

import (
	"testing"

	"github.com/re-connect/rpctl/lab/chaos"
)

// firstFault begins five seeds that hit a bridge, sshd and a bridge, a socket instance twice, and a runner.
const firstFault = 288

// faults is a few runs of the campaign of docs/faults.md, on the hosts that the chapters before used:
// what strikes is the connection's processes and the plan's own.
func faults(t *testing.T, s *stage) {
	results, err := chaos.Campaign(t.Context(), chaos.Options{
		Rpctl: s.Bin + "/rpctl", Dir: t.TempDir(), First: firstFault, Runs: 5, Parallel: 1, Log: t.Output(),
		Real: &chaos.Real{Lab: s.Lab, Agents: []string{s.Bin + "/rp-agent"}},
	})
	if err != nil || len(results) != 5 {
		t.Fatal(len(results), err)
	}
	for _, r := range results {
		if len(r.Violations) > 0 {
			t.Errorf("seed %d (%v): %q", r.Seed, r.Faults, r.Violations)
		}
	}
}
