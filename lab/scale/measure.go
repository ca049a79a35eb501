package scale

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Fleet is hosts that run in another process.
type Fleet struct {
	Dir     string
	process *exec.Cmd
	stdin   io.Closer
}

// Start runs serve, a command that ends in Serve, and waits until it prints Ready.
func Start(ctx context.Context, dir string, serve *exec.Cmd) (*Fleet, error) {
	stdin, err := serve.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := serve.StdoutPipe()
	if err != nil {
		return nil, err
	}
	serve.Stderr = os.Stderr
	if err := serve.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the hosts: %w", err)
	}
	f := &Fleet{Dir: dir, process: serve, stdin: stdin}
	stop := context.AfterFunc(ctx, f.Close)
	defer stop()
	line := make([]byte, len(Ready)+1)
	if _, err := io.ReadFull(out, line); err != nil || string(line) != Ready+"\n" {
		f.Close()
		return nil, errors.New("the hosts did not start")
	}
	return f, nil
}

// Close ends the hosts.
func (f *Fleet) Close() {
	f.stdin.Close()
	_ = f.process.Wait() // it says on stderr what it has to say
}

// Rpctl is a run of rpctl against the fleet.
func (f *Fleet) Rpctl(program string, args ...string) []string {
	return append([]string{program, "--hosts", filepath.Join(f.Dir, "hosts.toml"), "--ssh-config", f.SSHConfig()}, args...)
}

// SSHConfig is the file for ssh -F.
func (f *Fleet) SSHConfig() string { return filepath.Join(f.Dir, "ssh_config") }

// Figure is what one run of a program cost.
type Figure struct {
	Wall, First time.Duration // to its end; to the first byte that it printed
	CPU         time.Duration // user and system, its children included
	PeakKiB     int64         // the largest resident set of the program or of one of its children
	Exit        int
	Output      string
}

// Measure runs a program to its end. A failing exit code is no error: it is part of the figure.
func Measure(ctx context.Context, dir string, argv []string) (Figure, error) {
	var figure Figure
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Dir = dir
	command.Env = append(os.Environ(), "SSH_AUTH_SOCK=", "NO_COLOR=1", "XDG_STATE_HOME="+filepath.Join(filepath.Dir(dir), "state"))
	out, err := command.StdoutPipe()
	if err != nil {
		return figure, err
	}
	began := time.Now()
	if err := command.Start(); err != nil {
		return figure, fmt.Errorf("cannot run %s: %w", argv[0], err)
	}
	var text strings.Builder
	first := &firstByte{began: began}
	_, readErr := io.Copy(io.MultiWriter(first, &text), out)
	err = command.Wait()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return figure, fmt.Errorf("cannot run %s: %w", argv[0], err)
	}
	state := command.ProcessState
	figure = Figure{
		Wall: time.Since(began), First: first.after, CPU: state.UserTime() + state.SystemTime(),
		Exit: state.ExitCode(), Output: text.String(),
	}
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		figure.PeakKiB = usage.Maxrss
	}
	return figure, errors.Join(readErr, ctx.Err())
}

// firstByte notes when something was printed first.
type firstByte struct {
	began time.Time
	after time.Duration
}

func (f *firstByte) Write(data []byte) (int, error) {
	if f.after == 0 {
		f.after = time.Since(f.began)
	}
	return len(data), nil
}
