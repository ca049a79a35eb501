package chaos

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// commandLimit bounds one command of the operator's; one that takes longer hangs. Faults of which a
// command may take longer say so, and Options.Slow stretches all of it.
const commandLimit = 5 * time.Minute

func (r *run) limit() time.Duration {
	limit := commandLimit
	for _, h := range r.hits {
		limit += h.fault.grace
	}
	return r.stage.options.stretched(limit)
}

// process is the real rpctl, as it was typed.
type process struct {
	args   []string
	cmd    *exec.Cmd
	done   chan struct{}
	killed bool // by a fault: what it says and how it ends proves nothing

	stdout, stderr bytes.Buffer
	code           int
}

// typed starts rpctl in the work tree, without a terminal.
func (r *run) typed(args ...string) (*process, error) {
	p := &process{args: args, done: make(chan struct{})}
	p.cmd = exec.Command(r.stage.options.Rpctl, args...)
	p.cmd.Dir = r.stage.WorkTree()
	p.cmd.Env = append(os.Environ(), "RPCTL_SSH_CONFIG="+r.stage.SSHConfig(), "XDG_STATE_HOME="+filepath.Join(filepath.Dir(r.stage.SSHConfig()), "state"), "RPCTL_HOSTS="+r.stage.HostsTOML())
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start rpctl: %w", err)
	}
	r.processes = append(r.processes, p)
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the code says it
		p.code = p.cmd.ProcessState.ExitCode()
	}()
	return p, nil
}

// ended waits for the process; one that hangs is a violation, and killed.
func (r *run) ended(ctx context.Context, p *process) {
	limit := r.limit()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-ctx.Done():
		r.kill(p)
	case <-timer.C:
		r.violation("rpctl %s did not end within %s; it said %q", strings.Join(p.args, " "), limit, tail(p))
		r.kill(p)
	}
	r.say("rpctl %s -> %d %s", strings.Join(p.args, " "), p.code, last(p.stderr.String()))
}

func (r *run) kill(p *process) {
	p.killed = true
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// gone says whether the process has ended.
func (p *process) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) signal(signal syscall.Signal) { _ = p.cmd.Process.Signal(signal) } // it may have ended

// tail is only for a process that hangs: nothing of it can be waited for.
func tail(p *process) string { return last(p.stderr.String()) }

// last is the last line of a text.
func last(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-2):], " / ")
}

var jobNamed = regexp.MustCompile(`\bjob ([a-z0-9]{8,64})\b`)

// job is the one that the process spoke of; empty when it spoke of none.
func (p *process) job() string {
	if p.args[0] == "attach" {
		return p.args[1]
	}
	if found := jobNamed.FindStringSubmatch(p.stderr.String()); found != nil {
		return found[1]
	}
	return ""
}

// orphans are processes of this lab that still run.
func orphans(dir string, except int) []string {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	var found []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		pid := filepath.Base(filepath.Dir(file))
		if err == nil && bytes.Contains(text, []byte(dir)) && pid != fmt.Sprint(except) {
			found = append(found, pid+" "+strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}
