package cli

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/peer"
	"github.com/re-connect/rpctl/agent/internal/session"
	"github.com/re-connect/rpctl/proto"
)

// fakeHost is a host that is well, or has problems.
type fakeHost struct{ problems []proto.HostText }

const worker = "messenger_worker_async@1.service"

func (f fakeHost) Units(context.Context, []proto.UnitPattern) ([]proto.PatternUnits, error) {
	return []proto.PatternUnits{{Pattern: "messenger_worker_async@*.service", Units: []string{worker}}}, nil
}

func (f fakeHost) Restart(context.Context, proto.RestartArgs, func(proto.UnitProgress)) (proto.RestartResult, error) {
	return proto.RestartResult{Units: []proto.Restarted{{Unit: worker}}}, nil
}

func (f fakeHost) Verify(context.Context, proto.VerifyArgs, func(proto.UnitProgress)) (proto.VerifyResult, error) {
	return proto.VerifyResult{}, nil
}

func (f fakeHost) Status(context.Context) (proto.Status, error) {
	return proto.Status{
		Release:  &proto.Release{Name: "42", Switched: time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)},
		Workers:  []proto.WorkerStatus{{Unit: worker, Active: "active", Sub: "running", Code: proto.CodeCurrent}},
		Problems: f.problems,
	}, nil
}

func (f fakeHost) Current() (proto.Release, error) { return proto.Release{Name: "42"}, nil }

func (f fakeHost) Follow(_ context.Context, _ []string, _ int, _ bool, emit func(proto.LogLine) error) error {
	return emit(proto.LogLine{Message: "handled"})
}

func (f fakeHost) Run(context.Context) proto.DoctorReport {
	checks := []proto.Check{{Name: "clock", OK: true, Detail: "set"}, {Name: "polkit", OK: true, Skipped: true, Detail: "no polkit here"}}
	for _, p := range f.problems {
		checks = append(checks, proto.Check{Name: "disk", Detail: p, Advice: proto.Advice{Code: proto.AdviceDisk, Path: "/var/lib/rp-agent"}},
			proto.Check{Name: "units", Detail: "one is missing", Advice: proto.Advice{Code: proto.AdviceInstall}},
			proto.Check{Name: "console", Detail: "no program", Advice: proto.Advice{Code: proto.AdviceExecutable}},
			proto.Check{Name: "systemd", Detail: "too old"})
	}
	return proto.DoctorReport{Checks: checks}
}

// listen serves a fake host on socket until the test ends.
func listen(tb testing.TB, socket, state string, f fakeHost) {
	tb.Helper()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		tb.Fatal(err)
	}
	here := session.Host{
		Name: "preprod-1", Agent: "1.0.0", State: state, Workers: f, Releases: f, Journal: f, Doctor: f,
		Config: proto.HostConfig{Environment: "preprod", Workers: []proto.UnitPattern{"messenger_worker_async@*.service"}},
	}
	ctx, cancel := context.WithCancel(context.Background())
	tb.Cleanup(func() {
		cancel()
		_ = listener.Close()
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			caller := peer.Caller{User: "root"}
			go func() { _ = session.Serve(ctx, conn, caller, here) }()
		}
	}()
}

// listenMute accepts on socket until the test ends, and says nothing to anybody.
func listenMute(tb testing.TB, socket string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	tb.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	return nil
}
