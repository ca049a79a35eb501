package migration

import (
	"testing"

	"github.com/re-connect/rpctl/lab/chaos"
)

// someFaults are a few runs of the campaign of docs/faults.md: four seeds that hit a bridge, PHP and a
// socket instance, a socket instance, and a runner; and each kind that only a host with a database has.
var someFaults = []chaos.Options{
	{First: 313, Runs: 4},
	{First: 1, Runs: 2, Only: "database"},
}

// faults plays them on the hosts that the chapters before used: what strikes is the connection's processes, the
// plan's own, and the database's.
func faults(t *testing.T, s *stage) {
	for _, o := range someFaults {
		o.Rpctl, o.Dir, o.Parallel, o.Log = s.Bin+"/rpctl", t.TempDir(), 1, t.Output()
		o.Real = &chaos.Real{Lab: s.Lab, Agents: []string{s.Bin + "/rp-agent"}}
		results, err := chaos.Campaign(t.Context(), o)
		if err != nil || len(results) != o.Runs {
			t.Fatal(len(results), err)
		}
		for _, r := range results {
			if len(r.Violations) > 0 {
				t.Errorf("seed %d (%v): %q", r.Seed, r.Faults, r.Violations)
			}
		}
	}
}
