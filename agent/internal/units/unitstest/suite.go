// Package unitstest is one suite for every keeper of the contract of package
// units, so that what is true in the demo is true on a host.
package unitstest

import (
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
)

// Unit is a service that a case needs, in the words of a unit file. A zero limit is no limit, a zero
// TimeoutStop is infinity. Words of Argv have no characters that a unit file would want quoted.
type Unit struct {
	Name               string
	Argv               []string
	TimeoutStop        time.Duration
	StartLimitBurst    int
	StartLimitInterval time.Duration
	Restart            bool // on-failure
	RestartDelay       time.Duration
	Enabled            bool
	Masked             bool
}

// Fixture makes a host with these units installed, none of them started, and
// takes it away when the test ends, whatever the units do then.
type Fixture func(t *testing.T, installed ...Unit) Host

// Host is one host under test.
type Host struct {
	Manager units.Manager
	// Refused is the same host for a caller whom the policy allows nothing on RefusedUnit.
	Refused units.Manager
	// Stop stops a unit and waits for it, past the contract.
	Stop func(t *testing.T, unit string)
}

// RefusedUnit is the unit that Host.Refused must not touch.
const RefusedUnit = "rpctl-suite-refused@1.service"

// Run runs the suite. Every case has units of its own names.
func Run(t *testing.T, fixture Fixture) {
	cases := []struct {
		name string
		run  func(*testing.T, Fixture)
	}{
		{"expected", expected},
		{"state of a unit at rest", stateAtRest},
		{"restart of a running unit", restartRunning},
		{"restart of a stopped unit", restartStopped},
		{"restart of an enabled unit that never ran", restartEnabled},
		{"restart of an instance of a template", restartTemplate},
		{"a unit that ignores SIGTERM", stubborn},
		{"a unit that takes its time to stop", slow},
		{"a crash shortly after the start", crash},
		{"a crash that is restarted", crashRestarted},
		{"a crash loop to the start limit", crashLoop},
		{"the start limit and its reset", startLimit},
		{"a masked unit", masked},
		{"a unit that is not there", notFound},
		{"a refusal", refused},
		{"a context that ends during a restart", cancelled},
		{"restarts of many units at once", concurrent},
		{"restarts of one unit at once", joined},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, fixture) })
	}
}
