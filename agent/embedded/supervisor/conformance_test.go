package supervisor

import (
	"context"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units/unitstest"
)

func TestConformance(t *testing.T) { unitstest.Run(t, fixture) }

func fixture(t *testing.T, installed ...unitstest.Unit) unitstest.Host {
	t.Helper()
	options := Options{Refuse: func(_, unit string) bool { return unit == unitstest.RefusedUnit }}
	for _, u := range installed {
		options.Units = append(options.Units, Definition{
			Name: u.Name, Argv: u.Argv, TimeoutStop: u.TimeoutStop,
			StartLimitBurst: u.StartLimitBurst, StartLimitInterval: u.StartLimitInterval,
			Restart: u.Restart, RestartDelay: u.RestartDelay, Enabled: u.Enabled, Masked: u.Masked,
		})
	}
	s := open(t, options)
	return unitstest.Host{Manager: s, Refused: s, Stop: func(t *testing.T, unit string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := s.Stop(ctx, unit); err != nil {
			t.Fatal(err)
		}
	}}
}

func open(t *testing.T, options Options) *Supervisor {
	t.Helper()
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
