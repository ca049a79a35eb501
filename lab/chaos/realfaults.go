package chaos

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/lab"
)

// realFaults is all kinds on real hosts, in the order of the table. What people do is the same as on
// embedded hosts.
var realFaults = slices.Concat(ofPeople(), networkFaults, []fault{
	{name: "laptop asleep for longer than the pings", strike: longAsleep},
	{name: "agent upgraded meanwhile", strike: upgraded},

	{name: "bridge killed", strike: onProcess(bridge, syscall.SIGKILL)},
	{name: "bridge stopped (STOP, CONT)", strike: onProcess(bridge, syscall.SIGSTOP)},
	{name: "socket instance killed", strike: onProcess(instance, syscall.SIGKILL)},
	{name: "socket instance stopped (STOP, CONT)", strike: onProcess(instance, syscall.SIGSTOP)},
	{name: "plan runner killed", strike: onProcess(runner, syscall.SIGKILL)},
	{name: "plan runner stopped (STOP, CONT)", strike: onProcess(runner, syscall.SIGSTOP)},
	{name: "PHP killed (KILL)", strike: onProcess(php, syscall.SIGKILL)},
	{name: "PHP killed (TERM)", strike: onProcess(php, syscall.SIGTERM)},
	{name: "PHP stopped (STOP, CONT)", strike: onProcess(php, syscall.SIGSTOP)},
	{name: "PHP killed by the kernel (out of memory)", strike: outOfMemory},

	{name: "sshd restarted", strike: onSystem("systemctl", "restart", "ssh.service")},
	{name: "sshd killed with its sessions", strike: onProcess(sshd, syscall.SIGKILL)},
	{name: "polkit restarted", strike: onSystem("systemctl", "restart", "polkit.service")},
	{name: "polkit killed", strike: onProcess(polkit, syscall.SIGKILL)},
	{name: "D-Bus restarted", strike: busRestarted},
	{name: "D-Bus killed", strike: busKilled},
	{name: "systemd re-executed", strike: onSystem("systemctl", "daemon-reexec")},
	{name: "systemd reloaded", strike: onSystem("systemctl", "daemon-reload")},

	{name: "host rebooted in order", strike: shutDown},
	{name: "power cut, unsynced writes lost", strike: powerCut, disk: true},
	{name: "disk full", strike: diskFull, disk: true},
	{name: "disk out of inodes", strike: diskCrowded, disk: true},
	{name: "disk fails and is read-only", strike: diskFails, disk: true},
})

// ofPeople are the faults that need nothing but rpctl.
func ofPeople() []fault {
	names := []string{
		"rpctl killed", "Ctrl-C once", "Ctrl-C twice", "laptop asleep (STOP, CONT)",
		"second operator, same plan", "second operator, other plan", "deploy meanwhile", "plan file edited",
	}
	return slices.DeleteFunc(slices.Clone(processFaults), func(f fault) bool { return !slices.Contains(names, f.name) })
}

func (r *run) real() *real { return r.stage.world.(*real) }

// A kind of process on the host.
func bridge(p lab.Process) bool   { return slices.Contains(p.Args, "rpc") && called(p, "rp-agent") }
func instance(p lab.Process) bool { return strings.HasPrefix(p.Unit, "rp-agent@") }
func runner(p lab.Process) bool   { return strings.HasPrefix(p.Unit, "rp-agent-run@") }
func php(p lab.Process) bool {
	return (strings.HasPrefix(p.Unit, "rp-agent-console@") || strings.HasPrefix(p.Unit, "rp-agent-dryrun@")) && called(p, "php")
}
func polkit(p lab.Process) bool { return p.Unit == "polkit.service" }
func bus(p lab.Process) bool    { return p.Unit == "dbus.service" }

func sshd(p lab.Process) bool {
	return p.Unit == "ssh.service" || strings.HasPrefix(p.Args[0], "sshd: ") || called(p, "sshd-session")
}

func called(p lab.Process, name string) bool { return filepath.Base(p.Args[0]) == name }

// onProcess sends a signal to the processes of a kind that are there, or to the first that come; one
// that is stopped goes on after a while.
func onProcess(kind func(lab.Process) bool, signal syscall.Signal) func(context.Context, *run, *process, hit) bool {
	return func(ctx context.Context, r *run, p *process, h hit) bool {
		hit := r.signalled(r.victims(ctx, p, kind), signal)
		if signal == syscall.SIGSTOP && len(hit) > 0 {
			pause(ctx, time.Duration(h.number%4000)*time.Millisecond)
			r.signalled(hit, syscall.SIGCONT)
		}
		return len(hit) > 0
	}
}

// signalled sends a signal, and returns those who got it.
func (r *run) signalled(pids []int, signal syscall.Signal) (got []int) {
	for _, pid := range pids {
		if syscall.Kill(pid, signal) == nil {
			got = append(got, pid)
		}
	}
	return got
}

// victims waits for processes of a kind while anything goes on that could start one.
func (r *run) victims(ctx context.Context, p *process, kind func(lab.Process) bool) (pids []int) {
	ctx, cancel := context.WithTimeout(ctx, momentLimit)
	defer cancel()
	for ctx.Err() == nil {
		all, err := r.real().host.Processes()
		if err != nil {
			r.violation("%v", err)
			return nil
		}
		for _, one := range all {
			if kind(one) {
				pids = append(pids, one.PID)
			}
		}
		if len(pids) > 0 || p.gone() && len(r.stage.unended()) == 0 {
			return pids
		}
		pause(ctx, lookEvery)
	}
	return nil
}

// onSystem is what an administrator types on the host meanwhile.
func onSystem(argv ...string) func(context.Context, *run, *process, hit) bool {
	return func(ctx context.Context, r *run, p *process, _ hit) bool {
		busy := !p.gone() || len(r.stage.unended()) > 0
		if _, err := r.real().host.Run(ctx, argv...); err != nil {
			r.say("%v", err)
		}
		return busy
	}
}

// busKilled does what busRestarted does, without a word to anybody; the next who asks the socket starts it again.
func busKilled(ctx context.Context, r *run, p *process, h hit) bool {
	r.undo = append(r.undo, r.logindBack(ctx))
	return onProcess(bus, syscall.SIGKILL)(ctx, r, p, h)
}

// busRestarted takes the message bus away from everybody who is on it. systemd-logind does not come
// back to the new one by itself (logins then wait 25 s for it), so an administrator restarts it later.
func busRestarted(ctx context.Context, r *run, p *process, h hit) bool {
	r.undo = append(r.undo, r.logindBack(ctx))
	return onSystem("systemctl", "restart", "dbus.service")(ctx, r, p, h)
}

func (r *run) logindBack(ctx context.Context) func() error {
	return func() error {
		_, err := r.real().host.Run(ctx, "systemctl", "restart", "systemd-logind.service")
		return err
	}
}

// beyondPings is longer than the agent waits for a sign of life (proto/PROTOCOL.md: 30 s).
const beyondPings = 33 * time.Second

func longAsleep(ctx context.Context, _ *run, p *process, _ hit) bool {
	if p.gone() {
		return false
	}
	p.signal(syscall.SIGSTOP)
	pause(ctx, beyondPings)
	p.signal(syscall.SIGCONT)
	return true
}

func upgraded(_ context.Context, r *run, _ *process, _ hit) bool {
	return r.beside("agent", "upgrade", "--env", environment, "--login", "admin", "--yes", "--allow-downgrade", "--unreviewed", "a lab", "--binary", r.stage.options.Real.agent(r.seed))
}

func shutDown(ctx context.Context, r *run, _ *process, _ hit) bool {
	return r.rebooting(ctx, r.real().host.Shutdown(ctx))
}

// powerCut takes what was not fsynced: of a run that has ended it must be nothing.
func powerCut(ctx context.Context, r *run, _ *process, _ hit) bool {
	r.cut = true
	safe := r.stage.printed()
	if err := r.real().host.PowerCut(ctx); err != nil {
		return r.rebooting(ctx, err)
	}
	err := r.real().disk.forget(ctx)
	now := r.stage.printed()
	for name, size := range safe {
		if now[name] != size {
			r.violation("%s is of a run that had ended: it had %d bytes, and %d after the power cut", name, size, now[name])
		}
	}
	return r.rebooting(ctx, err)
}

// printed is the output of runs that a job on the disk calls ended, as names and bytes.
func (s *stage) printed() map[string]int64 {
	sizes := map[string]int64{}
	records, _ := s.records() // a disk that cannot be read has other oracles
	for _, record := range records {
		for _, run := range record.Runs {
			for _, stream := range []string{".out", ".err"} {
				info, err := os.Stat(filepath.Join(s.Outputs(), run.Console+stream))
				if err == nil && !run.Ended.IsZero() {
					sizes[info.Name()] = info.Size()
				}
			}
		}
	}
	return sizes
}

// rebooting boots a host that is down.
func (r *run) rebooting(ctx context.Context, err error) bool {
	if err == nil {
		err = r.real().host.Boot(ctx)
	}
	if err != nil {
		r.violation("%v", err)
	}
	return true
}

func diskFull(ctx context.Context, r *run, p *process, h hit) bool {
	return r.crammed(ctx, p, h, r.real().disk.fill)
}

func diskCrowded(ctx context.Context, r *run, p *process, h hit) bool {
	return r.crammed(ctx, p, h, r.real().disk.crowd)
}

// crammed lets somebody take all of a disk, until somebody notices.
func (r *run) crammed(ctx context.Context, p *process, h hit, cram func() error) bool {
	busy := !p.gone() || len(r.stage.unended()) > 0
	if err := cram(); err != nil {
		r.say("%v", err) // another fault has the disk
	}
	if h.number%2 == 0 {
		r.undo = append(r.undo, r.real().disk.empty) // when the command has ended
		return busy
	}
	pause(ctx, time.Duration(h.number%3000)*time.Millisecond)
	if err := r.real().disk.empty(); err != nil {
		r.violation("%v", err)
	}
	return busy
}

// diskFails leaves a read-only disk until an administrator checks it and boots again.
func diskFails(ctx context.Context, r *run, p *process, h hit) bool {
	busy := !p.gone() || len(r.stage.unended()) > 0
	r.cut = true
	d := r.real().disk
	if err := d.fails(ctx); err != nil {
		r.violation("%v", err)
		return false
	}
	pause(ctx, time.Duration(h.number%3000)*time.Millisecond)
	if err := r.real().host.PowerCut(ctx); err != nil {
		return r.rebooting(ctx, err)
	}
	r.rebooting(ctx, d.repair(ctx))
	return busy
}

// outOfMemory gives PHP less memory than it has, so that the kernel kills it.
func outOfMemory(ctx context.Context, r *run, p *process, _ hit) bool {
	pids := r.victims(ctx, p, php)
	for _, pid := range pids {
		if err := starve(ctx, pid); err != nil {
			r.say("%v", err)
			return false
		}
	}
	return len(pids) > 0
}

// unbroken are the kinds that need no disk that can fail.
func unbroken(kinds []fault) []fault {
	return slices.DeleteFunc(slices.Clone(kinds), func(f fault) bool { return f.disk })
}
