package status

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
)

type fixed struct {
	release proto.Release
	workers []proto.WorkerStatus
	err     error
}

func (f fixed) Current() (proto.Release, error) { return f.release, f.err }

func (f fixed) Status(context.Context) ([]proto.WorkerStatus, error) { return f.workers, f.err }

func sources(all ...proto.WorkerStatus) Sources {
	return Sources{
		Host: "rp-preprod-1", Environment: "preprod", Patterns: []proto.UnitPattern{"a@*.service"},
		Release: fixed{release: proto.Release{Name: "42"}}, Workers: fixed{workers: all},
		Holder: func() (*proto.Holder, error) { return &proto.Holder{Operator: "alice"}, nil },
		LastDeploy: func(h *proto.Holder) (*proto.DeployRecord, error) {
			return &proto.DeployRecord{Kind: "deploy", Operator: h.Operator}, nil
		},
	}
}

func TestCollect(t *testing.T) {
	good := proto.WorkerStatus{Unit: "a@1.service", Active: "active", Sub: "running", Code: proto.CodeCurrent, Since: time.Now().Add(-time.Hour), Restarts: 40}
	with := func(change func(*proto.WorkerStatus)) proto.WorkerStatus { w := good; change(&w); return w }
	cases := []struct {
		name    string
		workers []proto.WorkerStatus
		want    []string // beginnings, in order
	}{
		{"healthy", []proto.WorkerStatus{good}, nil},
		{"not provable is no problem", []proto.WorkerStatus{with(func(w *proto.WorkerStatus) { w.Code = proto.CodeUnknown })}, nil},
		{"being restarted is no problem", []proto.WorkerStatus{with(func(w *proto.WorkerStatus) { w.Active, w.Sub = "deactivating", "stop-sigterm" })}, nil},
		{"no instance", nil, []string{"missing: a@*.service"}},
		{"old", []proto.WorkerStatus{with(func(w *proto.WorkerStatus) { w.Code, w.Why = proto.CodeOld, "why" })}, []string{"old code: a@1.service: why"}},
		{"young, restarted often", []proto.WorkerStatus{with(func(w *proto.WorkerStatus) { w.Since = time.Now() })}, []string{"crash loop: a@1.service"}},
		{"young, restarted once", []proto.WorkerStatus{with(func(w *proto.WorkerStatus) { w.Since, w.Restarts = time.Now(), 1 })}, nil},
		{"cannot be read", []proto.WorkerStatus{{Unit: "a@1.service", Why: "no bus"}}, []string{"unknown: a@1.service: no bus"}},
		{"worst first", []proto.WorkerStatus{
			{Unit: "a@1.service", Active: "failed", Sub: "failed"},
			{Unit: "a@2.service", Active: "activating", Sub: "auto-restart-queued"},
			with(func(w *proto.WorkerStatus) { w.Unit, w.Code = "a@3.service", proto.CodeOld }),
			{Unit: "a@4.service", Active: "inactive", Sub: "dead", Why: "it does not run"},
		}, []string{"missing: a@4.service: it does not run", "old code: a@3.service", "crash loop: a@2.service", "failed: a@1.service"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Collect(t.Context(), sources(c.workers...))
			if err != nil || len(got.Problems) != len(c.want) || got.Healthy() != (len(c.want) == 0) {
				t.Fatalf("got %q, %v", got.Problems, err)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(string(got.Problems[i]), want) {
					t.Errorf("problem %d is %q, want %q", i, got.Problems[i], want)
				}
			}
			if got.Release.Name != "42" || got.Lease.Operator != "alice" || got.LastDeploy.Operator != "alice" || got.Workers == nil {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestWhatCannotBeReadHidesNothing(t *testing.T) {
	from := sources()
	from.Release = fixed{err: errors.New("no release")}
	from.Workers = fixed{err: errors.New("no bus")}
	from.LastDeploy = func(*proto.Holder) (*proto.DeployRecord, error) { return nil, errors.New("no audit") }
	got, err := Collect(t.Context(), from)
	if err != nil || !slices.Equal(got.Problems, []proto.HostText{"no bus", "no release", "no audit"}) {
		t.Errorf("got %q, %v", got.Problems, err)
	}
	if got.ReleaseErr != "no release" || got.Release != nil || got.Lease == nil {
		t.Errorf("got %+v", got)
	}
}

func TestCollectCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Collect(ctx, sources()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
