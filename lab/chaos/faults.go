package chaos

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/lab/app/console"
)

// fault is one kind of bad luck. Strike does it and says whether there was anything to hit.
type fault struct {
	name   string
	strike func(ctx context.Context, r *run, p *process, h hit) bool
	other  bool          // there is a second plan
	grace  time.Duration // how much longer a command may take with it
	disk   bool          // it needs a disk that can fail
}

// faults is all kinds, in the order of the table.
var faults = slices.Concat(processFaults, betweenFaults, networkFaults, hostFaults, peopleFaults)

// processFaults are those of programs, hosts and people.
var processFaults = []fault{
	{name: "rpctl killed", strike: signalled(syscall.SIGKILL)},
	{name: "Ctrl-C once", strike: signalled(syscall.SIGINT)},
	{name: "Ctrl-C twice", strike: signalled(syscall.SIGINT, syscall.SIGINT)},
	{name: "laptop asleep (STOP, CONT)", strike: asleep},
	{name: "all connections cut", strike: cutAll},
	{name: "line cut after N bytes", strike: cutAfter},
	{name: "runner killed", strike: runnerKilled},
	{name: "console killed (KILL)", strike: consoleSignalled(syscall.SIGKILL)},
	{name: "console killed (TERM)", strike: consoleSignalled(syscall.SIGTERM)},
	{name: "host rebooted", strike: rebooted},
	{name: "second operator, same plan", strike: samePlan},
	{name: "second operator, other plan", strike: otherPlan, other: true},
	{name: "deploy meanwhile", strike: deployed},
	{name: "plan file edited", strike: edited},
	{name: "approvers' keys removed", strike: approversRemoved},
}

// signalled sends signals to rpctl, close to each other.
func signalled(signals ...syscall.Signal) func(context.Context, *run, *process, hit) bool {
	return func(ctx context.Context, _ *run, p *process, h hit) bool {
		if p.gone() {
			return false
		}
		for i, signal := range signals {
			if i > 0 {
				pause(ctx, time.Duration(h.number%50)*time.Millisecond)
			}
			p.killed = true
			p.signal(signal)
		}
		return true
	}
}

func asleep(ctx context.Context, _ *run, p *process, h hit) bool {
	if p.gone() {
		return false
	}
	p.signal(syscall.SIGSTOP)
	pause(ctx, time.Duration(h.number%1500)*time.Millisecond)
	p.signal(syscall.SIGCONT)
	return true
}

func cutAll(_ context.Context, r *run, p *process, _ hit) bool {
	r.stage.host().Server().CutAll()
	return !p.gone()
}

// cutAfter cuts what is there, so that the next command of rpctl is cut after so many bytes.
func cutAfter(ctx context.Context, r *run, p *process, h hit) bool {
	if p.gone() {
		return false
	}
	r.stage.cutAfter.Store(int64(h.number))
	r.undo = append(r.undo, func() error { r.stage.cutAfter.Store(0); return nil })
	r.stage.host().Server().CutAll()
	return true
}

func runnerKilled(_ context.Context, r *run, _ *process, _ hit) bool {
	running := r.stage.unended()
	for _, id := range running {
		r.stage.host().Running().Jobs().KillRunner(id)
	}
	return len(running) > 0
}

// consoleSignalled hits the console command that runs, or the next one.
func consoleSignalled(signal syscall.Signal) func(context.Context, *run, *process, hit) bool {
	return func(ctx context.Context, r *run, p *process, _ hit) bool {
		for ctx.Err() == nil {
			struck := false
			for _, pid := range r.stage.consoles() {
				struck = syscall.Kill(pid, signal) == nil || struck
			}
			if struck || p.gone() && len(r.stage.unended()) == 0 {
				return struck
			}
		}
		return false
	}
}

// consoles are the migration commands that run in this lab.
func (s *stage) consoles() []int {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	var pids []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte(s.lab.Dir())) || !strings.Contains(string(text), console.CommandMigrate) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func rebooted(ctx context.Context, r *run, _ *process, _ hit) bool {
	if err := r.stage.host().Reboot(ctx); err != nil {
		r.violation("%v", err)
	}
	return true
}

// beside starts a command of somebody else.
func (r *run) beside(args ...string) bool {
	if r.other != nil {
		return false
	}
	var err error
	if r.other, err = r.typed(args...); err != nil {
		r.violation("%v", err)
	}
	return err == nil
}

func samePlan(_ context.Context, r *run, _ *process, _ hit) bool { return r.beside(r.applying(0)...) }

func otherPlan(_ context.Context, r *run, _ *process, _ hit) bool { return r.beside(r.applying(1)...) }

func deployed(_ context.Context, r *run, _ *process, _ hit) bool {
	return r.beside("deploy", "--env", environment, "--yes")
}

// edited lets an editor save another plan under the same name; in the end it is undone.
func edited(_ context.Context, r *run, _ *process, _ hit) bool {
	file, text := r.files[0], planTOML(r.plans[0])
	changed := bytes.Replace(text, []byte("chaos-"), []byte("edited-"), 1)
	if err := replace(file, changed); err != nil {
		r.violation("%v", err)
	}
	r.undo = append(r.undo, func() error { return replace(file, text) })
	return true
}

func replace(file string, text []byte) error {
	if err := os.WriteFile(file+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// approversRemoved takes the file away that says whose approvals count; it comes back in the end.
func approversRemoved(_ context.Context, r *run, _ *process, _ hit) bool {
	file := r.stage.State("approvers")
	away := file + ".away"
	if err := os.Rename(file, away); err != nil {
		if !os.IsNotExist(err) {
			r.violation("%v", err)
		}
		return false
	}
	r.undo = append(r.undo, func() error {
		if err := os.Rename(away, file); err != nil {
			return fmt.Errorf("cannot put the approvers back: %w", err)
		}
		return nil
	})
	return true
}

// calm is how the application behaves once somebody has mended what made it fail.
func (r *run) calm() console.Knobs {
	knobs := r.knobs
	knobs.FailAt, knobs.ExitAt = 0, 0
	return knobs
}
