package systemdengine

import (
	"testing"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
)

// TestUnitOfARun: a dry run alone is started from the template with a deadline; an id of an agent before that keeps its unit.
func TestUnitOfARun(t *testing.T) {
	real, dry := console.NewID("testjob1", 0), console.NewDryID("testjob1", 0)
	for id, want := range map[console.ID]string{
		real: "rp-agent-console@" + string(real) + ".service",
		dry:  "rp-agent-dryrun@" + string(dry) + ".service",
	} {
		if got := ConsoleUnit(id); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}
