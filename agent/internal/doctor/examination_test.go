package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

// TestWhatHasPassedIsNoFinding: polkit is being restarted at the first look.
func TestWhatHasPassedIsNoFinding(t *testing.T) {
	h := newHealthy(t)
	h.manager.startOnce = fmt.Errorf("%w: Access denied", units.ErrNoRule)
	c := checks(t, examined(t, h))["polkit rule"]
	if !c.OK || c.Fix != "" || !strings.Contains(string(c.Detail), "at a second look; at the first one: no rule speaks of rp-agent") {
		t.Errorf("%+v", c)
	}
}

func TestBusThatIsGoneFailsOnlyWhatNeedsIt(t *testing.T) {
	h := newHealthy(t)
	dialled := 0
	h.Installed.Connect = func(context.Context) (Manager, func() error, error) {
		dialled++
		return nil, nil, errors.New("no such socket")
	}
	got := checks(t, examined(t, h))
	if got["polkit rule"].OK || got["workers"].OK || !got["release"].OK || dialled != 2 { // once at each look
		t.Errorf("dialled %d times: %+v", dialled, got)
	}
}

// TestBusThatCameBack: a line to systemd that broke at the first look is not what the second one looks through.
func TestBusThatCameBack(t *testing.T) {
	h := newHealthy(t)
	hungUp, connect := 0, h.Installed.Connect
	h.Installed.Connect = func(ctx context.Context) (Manager, func() error, error) {
		manager, _, err := connect(ctx)
		if hungUp == 0 {
			manager = brokenManager{h.manager}
		}
		return manager, func() error { hungUp++; return nil }, err
	}
	if c := checks(t, examined(t, h))["polkit"]; !c.OK || hungUp != 2 {
		t.Errorf("hung up %d times: %+v", hungUp, c)
	}
}

// brokenManager is systemd behind a bus that was restarted.
type brokenManager struct{ *fakeManager }

func (brokenManager) PolkitVersion(context.Context) (string, error) {
	return "", errors.New("dbus: connection closed by user")
}

type stuckReleases struct{}

func (stuckReleases) Current() (proto.Release, error) { panic("stale file handle") }

func TestOneBadProbeHidesNoOther(t *testing.T) {
	h := newHealthy(t)
	h.Releases = stuckReleases{}
	got := checks(t, examined(t, h))
	if got["release"].OK || !strings.Contains(string(got["release"].Detail), "stale file handle") || !got["disk"].OK {
		t.Errorf("%+v", got)
	}
}

// hangingJournal waits for its context, as a bus or a disk that hangs would.
type hangingJournal struct{}

func (hangingJournal) Follow(ctx context.Context, _ []string, _ int, _ bool, _ func(proto.LogLine) error) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestProbeThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHealthy(t)
		h.Journal = hangingJournal{}
		began := time.Now()
		// The second look has what is left of all time.
		if c := checks(t, h.Run(t.Context()))["journal"]; c.OK || time.Since(began) != allTime {
			t.Errorf("after %v: %+v", time.Since(began), c)
		}
	})
}

// stuckManager answers nothing, as a systemd that deadlocked would.
type stuckManager struct{ *fakeManager }

func (stuckManager) Version(ctx context.Context) (string, error)       { return hang(ctx) }
func (stuckManager) PolkitVersion(ctx context.Context) (string, error) { return hang(ctx) }
func (stuckManager) ProbeStart(ctx context.Context, _ string) error {
	_, err := hang(ctx)
	return err
}
func (stuckManager) Stale(ctx context.Context, _ string) (bool, error) {
	_, err := hang(ctx)
	return false, err
}
func (stuckManager) Expected(ctx context.Context, _ proto.UnitPattern) ([]string, error) {
	_, err := hang(ctx)
	return nil, err
}
func (stuckManager) ClockSynchronized(ctx context.Context) (bool, error) {
	_, err := hang(ctx)
	return false, err
}

func hang(ctx context.Context) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// TestAllThatHangsEndsBeforeAnybodyLeaves: rpctl waits 30 s for the report.
func TestAllThatHangsEndsBeforeAnybodyLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHealthy(t)
		h.Journal = hangingJournal{}
		h.Installed.Connect = func(context.Context) (Manager, func() error, error) {
			return stuckManager{h.manager}, func() error { return nil }, nil
		}
		began := time.Now()
		found := checks(t, h.Run(t.Context()))
		if took := time.Since(began); took > 25*time.Second {
			t.Errorf("the report took %v", took)
		}
		for _, name := range []string{"systemd", "polkit", "polkit rule", "units", "workers", "journal"} {
			if c := found[name]; c.OK || !strings.Contains(string(c.Detail), "no answer within ") {
				t.Errorf("%s: %+v", name, c)
			}
		}
	})
}
