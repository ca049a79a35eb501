package chaos

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/lab/wire"
	"github.com/re-connect/rpctl/proto/plan"
)

// sweepEvery is the distance of two cuts, each of which starts a process of rpctl. Every byte is cut in
// controller/e2e/cuts, where rpctl is in the process.
var sweepEvery = flag.Int64("sweep", 2999, "cut the line after every so many bytes")

const (
	sweepers = 4
	// toldWithin is how long rpctl may take to tell of a line that was cut, beside slowness times what it takes over a
	// sound one.
	toldWithin = 30 * time.Second
	// mutedWithin is how long where nobody told it: keepalives, and the time of a handshake.
	mutedWithin = 30*time.Second + keepalives
	slowness    = 20
	// freeWithin is how long a host may take to end what a cut connection began.
	freeWithin = 30 * time.Second
)

// sweeper has a host of its own, so that some cuts can be tried at the same time.
type sweeper struct {
	*testing.T
	lab   *inprocess.Lab
	host  *inprocess.Host
	rpctl string
	plan  string
	more  time.Duration // that a command may take here
	cut   *atomic.Int64 // after so many bytes of the next command's stdout; 0 never
}

// attempt is how one command went.
type attempt struct {
	code           int
	stdout, stderr string
	took           time.Duration
	up, down       int64 // bytes of the last connection
}

// sweep types a command over a line that is sound, and gives each cut of such a line to one of the hosts.
func sweep[C any](t *testing.T, args []string, cutsOf func(up, down int64) []C, try func(sweeper, C)) {
	t.Helper()
	hosts := farm(t)
	sound := hosts[0].typed(fair, 10*time.Minute, hosts[0].words(args)...)
	if sound.code != 0 {
		t.Fatalf("%v ends with %d: %s", args, sound.code, sound.stderr)
	}
	cuts := cutsOf(sound.up, sound.down)
	t.Logf("%v: %d bytes up, %d down; %d cuts", args, sound.up, sound.down, len(cuts))
	queue := make(chan C, len(cuts))
	for _, c := range cuts {
		queue <- c
	}
	close(queue)
	var wait sync.WaitGroup
	for _, s := range hosts {
		s.more = slowness * sound.took
		wait.Go(func() {
			for c := range queue {
				try(s, c)
			}
		})
	}
	wait.Wait()
}

// farm starts the hosts.
func farm(t *testing.T) (all []sweeper) {
	t.Helper()
	rpctl := builtRpctl(t)
	after := make([]atomic.Int64, sweepers)
	var environments []inprocess.Environment
	for i := range sweepers {
		e := inprocess.Runbook()[0]
		e.Name, e.Hosts, e.Hollow = fmt.Sprintf("e%d", i), []string{fmt.Sprintf("host%d", i)}, true
		environments = append(environments, e)
	}
	lab, err := inprocess.Start(t.Context(), inprocess.Options{Dir: t.TempDir(), Environments: environments, Adjust: func(h *inprocess.Host) {
		cut := &after[slices.IndexFunc(environments, func(e inprocess.Environment) bool { return e.Name == h.Environment })]
		h.SSH.Handler = func(ctx context.Context, request sshhost.Request, stdin io.Reader, stdout, stderr io.Writer) int {
			if n := cut.Swap(0); n > 0 {
				stdout = &cutter{out: stdout, left: n, cut: h.Server().CutAll}
			}
			return h.Login(ctx, request, stdin, stdout, stderr)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	plans := writeSweptPlan(t, lab)
	for i, e := range environments {
		all = append(all, sweeper{t, lab, lab.Host(e.Hosts[0]), rpctl, plans, 0, &after[i]})
	}
	return all
}

func builtRpctl(t *testing.T) string {
	t.Helper()
	rpctl := filepath.Join(t.TempDir(), "rpctl")
	if out, err := exec.Command("go", "build", "-o", rpctl, "../../controller/cmd/rpctl").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return rpctl
}

func writeSweptPlan(t *testing.T, lab *inprocess.Lab) string {
	t.Helper()
	file := filepath.Join(lab.Dir(), "plan.toml")
	text := planTOML(plan.Plan{Version: plan.Version, Ticket: "https://trello.example/c/sweep", Centre: "France Fraternités", Groups: []plan.Group{{Steps: []plan.Step{
		{Origin: centres["CHU 75"], Destination: centres["CHU 77"], Field: console.Slug, Value: "CHU 77"},
	}}}})
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// typed runs rpctl through a proxy of its own.
func (s sweeper) typed(prepare func(*wire.Proxy), limit time.Duration, args ...string) (a attempt) {
	proxy, err := wire.Listen(s.host.Server().Addr().String())
	if err != nil {
		s.Error(err)
		return a
	}
	defer proxy.Close()
	prepare(proxy)
	ctx, cancel := context.WithTimeout(s.Context(), limit+s.more)
	defer cancel()
	command := exec.CommandContext(ctx, s.rpctl, append(args, "--env", s.host.Environment, "--timeout", "6s")...)
	command.Dir = s.lab.WorkTree()
	command.Env = append(os.Environ(), "RPCTL_SSH_CONFIG="+s.config(proxy), "XDG_STATE_HOME="+filepath.Join(s.lab.Dir(), "state"), "RPCTL_HOSTS="+s.lab.HostsTOML())
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	began := time.Now()
	err = command.Run()
	a = attempt{code: command.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), took: time.Since(began)}
	a.up, a.down = proxy.Passed()
	var bad *exec.ExitError
	if err != nil && !errors.As(err, &bad) {
		s.Error(err)
	}
	return a
}

// config leads to the host through the proxy.
func (s sweeper) config(proxy *wire.Proxy) string {
	known := filepath.Join(s.lab.Dir(), fmt.Sprintf("known_hosts.%d", proxy.Addr().Port))
	text := sshhost.ClientConfig(s.host.Alias, proxy.Addr().Port, filepath.Join(s.lab.Dir(), "id_ed25519"), known)
	file := filepath.Join(s.lab.Dir(), fmt.Sprintf("ssh_config.%d", proxy.Addr().Port))
	if err := errors.Join(os.WriteFile(known, []byte(s.host.Server().KnownAs(proxy.Addr())+"\n"), 0o644), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		s.Error(err)
	}
	return file
}

// told is the oracle of every cut: rpctl ends in time, with a code of docs/exit-codes.md, and says in words what happened.
func (s sweeper) told(what string, a attempt, codes ...int) {
	s.Helper()
	switch {
	case a.code < 0:
		s.Errorf("%s: rpctl did not end within %s; it said %q", what, a.took, a.stderr)
	case !slices.Contains(codes, a.code):
		s.Errorf("%s: rpctl ended with %d, want one of %v: %s", what, a.code, codes, a.stderr)
	case a.code != 0 && !strings.Contains(a.stderr+a.stdout, s.host.Alias):
		s.Errorf("%s: rpctl ended with %d and names no host: %s", what, a.code, a.stderr)
	case strings.Contains(a.stderr, "goroutine ") || strings.Contains(a.stderr, "panic"):
		s.Errorf("%s: %s", what, a.stderr)
	}
}

func fair(*wire.Proxy) {}

// free waits until the host has noticed that rpctl has gone, and wants it to be nobody's then.
func (s sweeper) free(what string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), freeWithin+s.more)
	defer cancel()
	if err := s.host.Idle(ctx); err != nil {
		s.Errorf("%s: %s after rpctl has gone: %v", what, freeWithin, err)
	}
	if held := heldOf([]string{filepath.Join(s.host.Agent.State, "lease")}); len(held) > 0 {
		s.Errorf("%s: rpctl has gone, and the host is held", what)
	}
}
