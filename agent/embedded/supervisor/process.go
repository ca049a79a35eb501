package supervisor

import (
	"errors"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"
)

// outputGrace is how long output is read after the end of a process, for
// children that left its group and keep the pipe open.
const outputGrace = time.Second

// exitExec is the status that systemd gives a process that could not be executed (systemd.exec(5)).
const exitExec = 203

// process is one run of a unit's main process, leader of its own group.
type process struct {
	command *exec.Cmd
	outputs []*os.File
	readers chan struct{} // one token for each output that was read to its end
	reaped  atomic.Bool
}

// spawn starts what d says; each line of output goes to log.
func spawn(d Definition, log func([]byte)) (*process, error) {
	argv := d.expand(d.Argv...)
	p := &process{command: exec.Command(argv[0], argv[1:]...), readers: make(chan struct{}, 2)}
	p.command.Dir = d.expand(d.Dir)[0]
	p.command.Env = append([]string{"PATH=" + os.Getenv("PATH")}, d.expand(d.Env...)...)
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var ends []*os.File // the child's
	defer func() { closeAll(ends) }()
	for range 2 {
		read, write, err := os.Pipe()
		if err != nil {
			closeAll(p.outputs)
			return nil, err
		}
		p.outputs, ends = append(p.outputs, read), append(ends, write)
	}
	p.command.Stdout, p.command.Stderr = ends[0], ends[1]
	if err := p.command.Start(); err != nil {
		closeAll(p.outputs)
		return nil, err
	}
	for _, output := range p.outputs {
		go func() {
			readLines(output, log)
			p.readers <- struct{}{}
		}()
	}
	return p, nil
}

func (p *process) pid() int { return p.command.Process.Pid }

// signal reaches the whole group, unless its leader is gone: the number may be another's by now.
func (p *process) signal(s syscall.Signal) {
	if !p.reaped.Load() {
		_ = syscall.Kill(-p.pid(), s)
	}
}

// wait returns how the main process ended, when what it left behind is killed too: no word of that runs any
// more, though /proc may show it for a moment yet.
func (p *process) wait() exit {
	err := p.command.Wait()
	p.reaped.Store(true)
	// The leader is reaped, but its number is not given away while its group has members.
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	deadline := time.Now().Add(outputGrace)
	for _, output := range p.outputs {
		_ = output.SetReadDeadline(deadline)
	}
	for range p.outputs {
		<-p.readers
	}
	closeAll(p.outputs)
	return exitOf(p.command.ProcessState, err)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// exit is how a process ended, in systemd's words.
type exit struct {
	kind string // exited, killed, dumped
	code int    // status or signal
}

func exitOf(state *os.ProcessState, err error) exit {
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) || state == nil {
		return exit{"exited", exitExec}
	}
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled() && status.CoreDump():
		return exit{"dumped", int(status.Signal())}
	case ok && status.Signaled():
		return exit{"killed", int(status.Signal())}
	}
	return exit{"exited", state.ExitCode()}
}

// result is the service's Result; the clean ends are those of systemd.service(5), SuccessExitStatus=.
func (e exit) result() string {
	switch e.kind {
	case "dumped":
		return "core-dump"
	case "killed":
		switch syscall.Signal(e.code) {
		case syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE:
			return "success"
		}
		return "signal"
	}
	if e.code == 0 {
		return "success"
	}
	return "exit-code"
}
