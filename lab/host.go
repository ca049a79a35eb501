package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Host is one machine of the lab.
type Host struct {
	Role    Role
	Address string // that its sshd listens on
	lab     *Lab
	root    string // its file system, seen from outside
}

func (l *Lab) newHost(role Role) *Host {
	return &Host{
		Role: role, Address: l.slot.address(role), lab: l,
		root: l.path("hosts", string(role)),
	}
}

// Boot starts a host that is not running and returns when systemd says that
// everything has started and sshd answers.
func (h *Host) Boot(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := h.powerOn(cancel); err != nil {
		return err
	}
	if err := h.waitForSystemd(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, h.console())
	}
	return h.waitForSSH(ctx)
}

// powerOn starts nspawn in a session of its own, so that the host outlives us;
// ended is told when it ends.
func (h *Host) powerOn(ended func(error)) error {
	argv, err := enterCgroups(h.root)
	if err != nil {
		return err
	}
	console, err := os.OpenFile(h.consolePath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write the console's log: %w", err)
	}
	defer console.Close()
	name := path.Base(h.lab.Dir) + "-" + string(h.Role)
	argv = append(argv, "systemd-nspawn", "--quiet", "--directory="+h.root, "--machine=rpctl-"+name,
		"--hostname="+string(h.Role), "--register=no", "--keep-unit", "--settings=no", "--link-journal=no",
		"--resolv-conf=off", "--timezone=off", "--boot")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start systemd-nspawn: %w", err)
	}
	go func() { ended(fmt.Errorf("systemd-nspawn has ended: %v", cmd.Wait())) }()
	return nil
}

// waitForSystemd waits until the host's systemd has finished booting, without a failed unit.
func (h *Host) waitForSystemd(ctx context.Context) error {
	const limit = 5 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var said string
	err := poll(ctx, limit, func() error {
		var err error
		said, err = h.Run(ctx, "systemctl", "is-system-running", "--wait")
		if said = strings.TrimSpace(said); said == "running" || said == "degraded" {
			return nil
		}
		return fmt.Errorf("the host does not boot: %w", errors.Join(err, errors.New(said)))
	})
	if err == nil && said == "degraded" {
		failed, _ := h.Run(ctx, "systemctl", "--failed", "--no-legend", "--plain")
		return fmt.Errorf("the host booted with failed units: %s", failed)
	}
	return err
}

func (h *Host) waitForSSH(ctx context.Context) error {
	return poll(ctx, time.Minute, func() error {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(h.Address, h.lab.port))
		if err != nil {
			return fmt.Errorf("sshd does not answer: %w", err)
		}
		return c.Close()
	})
}

// PowerCut ends a host as a power cut does; its disk stays, and Boot starts it again.
func (h *Host) PowerCut(ctx context.Context) error {
	m, err := findMachine(h.root)
	if err != nil {
		return err
	}
	return m.kill(ctx)
}

// Run runs a command in the host as root, outside of any of its units, and returns
// its standard output. The error of a failure ends with its standard error; errors.As
// finds an *exec.ExitError in it.
func (h *Host) Run(ctx context.Context, argv ...string) (string, error) {
	return h.RunInput(ctx, nil, argv...)
}

// RunAs is Run as another user of the host.
func (h *Host) RunAs(ctx context.Context, user string, argv ...string) (string, error) {
	return h.Run(ctx, append([]string{"runuser", "-u", user, "--"}, argv...)...)
}

// RunInput is Run with something to read on standard input.
func (h *Host) RunInput(ctx context.Context, in io.Reader, argv ...string) (string, error) {
	m, err := findMachine(h.root)
	if err != nil {
		return "", err
	}
	if m.leader == 0 {
		return "", errNotRunning
	}
	enter := []string{"--target", fmt.Sprint(m.leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
		"--root", "--wd=/", "--"}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, argv...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root"}
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &errs
	// nsenter forks: a group of its own, so that the end of ctx ends the command too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s on %s: %w: %s", argv[0], h.Role, err, lastLines(errs.Bytes(), 20))
	}
	return out.String(), nil
}

// CopyIn puts a file of this machine on the host, owned by root; folders on the way are made.
func (h *Host) CopyIn(ctx context.Context, from, to string, mode os.FileMode) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return h.put(ctx, f, to, mode)
}

// WriteFile puts a file with this content on the host, owned by root.
func (h *Host) WriteFile(ctx context.Context, to string, data []byte, mode os.FileMode) error {
	return h.put(ctx, bytes.NewReader(data), to, mode)
}

// put writes inside the host, where its own mounts (/run, /tmp) are what they are.
func (h *Host) put(ctx context.Context, in io.Reader, to string, mode os.FileMode) error {
	_, err := h.RunInput(ctx, in, "install", "-D", "-o", "root", "-g", "root",
		"-m", fmt.Sprintf("%04o", mode.Perm()), "/dev/stdin", to)
	return err
}

// CopyTree puts a folder of this machine on the host, owned by root.
func (h *Host) CopyTree(ctx context.Context, from, to string) error {
	tar := exec.CommandContext(ctx, "tar", "-C", from, "-cf", "-", ".")
	data, err := tar.Output()
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", from, err)
	}
	if _, err := h.Run(ctx, "mkdir", "-p", "--", to); err != nil {
		return err
	}
	_, err = h.RunInput(ctx, bytes.NewReader(data), "tar", "-C", to, "--no-same-owner", "-xf", "-")
	return err
}

// ReadFile reads a file of the host.
func (h *Host) ReadFile(ctx context.Context, name string) (string, error) {
	return h.Run(ctx, "cat", "--", name)
}

func (h *Host) consolePath() string { return filepath.Join(h.lab.Dir, string(h.Role)+".console") }

// console is the end of what the host said while it booted.
func (h *Host) console() []byte {
	out, err := os.ReadFile(h.consolePath())
	if err != nil {
		return nil
	}
	return lastLines(out, 20)
}
