package connect

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/internal/printable"
)

// idleMaster is how long a master that overSSH made lives without a connection over it. It covers the moment between
// its start and our connection, and it ends a master whose rpctl was killed.
const idleMaster = 10 * time.Second

// overSSH lets the ssh program log in as the master of a private socket, and speaks over that. Whatever a
// configuration says of keys, certificates, proxies, algorithms and revoked keys is then right, because ssh itself
// reads it. jumps replace those of the configuration, unless there are none.
func (d *Dialer) overSSH(ctx context.Context, r Resolved, jumps []hop) (*Conn, error) {
	folder, err := socketFolder(os.Getenv("XDG_RUNTIME_DIR"), os.TempDir(), "/tmp")
	if err != nil {
		return nil, &failure{message: "cannot make a folder for ssh's socket: " + err.Error(), next: d.ssh(r.typed), err: err}
	}
	defer os.RemoveAll(folder) // the master needs the socket's name no longer, once we are connected
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	within := d.options.HandshakeWithin + cmp.Or(r.ConnectTimeout, d.options.DialWithin) // the first counts from TCP on
	patience := newPatience(within, cancel)
	defer patience.end()
	socket := filepath.Join(folder, "s")
	command := exec.CommandContext(ctx, d.program, d.sshArgs(r.typed, d.masterOptions(socket, r, jumps)...)...)
	command.WaitDelay = time.Second
	// A session of its own: a Ctrl-C at the terminal would end a ProxyCommand or a jump's ssh, and with it the connection
	// over which the host is told of the interruption. Without a terminal, a jump's ssh asks through SSH_ASKPASS too.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	var stderr bounded
	command.Stderr = &stderr
	stop, err := d.answer(ctx, command, folder, patience)
	if err != nil {
		return nil, &failure{message: "cannot let ssh ask questions: " + err.Error(), next: d.ssh(r.typed), err: err}
	}
	defer stop()
	// The program that was started ends when the login is done; the master stays behind it.
	if err := command.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		if patience.expired() {
			return nil, &failure{message: fmt.Sprintf("ssh did not log in within %s", within), next: d.ssh(r.typed, "-v"), err: err}
		}
		return nil, d.sshFailed(r, stderr.String(), err)
	}
	client, err := muxClient(ctx, socket, d.options.MasterWithin)
	var master net.Conn
	if err == nil {
		if master, err = (&net.Dialer{Timeout: d.options.MasterWithin}).DialContext(ctx, "unix", socket); err != nil {
			client.Close()
		}
	}
	if err != nil {
		return nil, &failure{message: "ssh logged in, but its connection cannot be used: " + safe(err.Error()), next: d.ssh(r.typed, "-v"), err: err}
	}
	return &Conn{
		client: client, user: r.User, via: "ssh", startWithin: d.options.StartWithin, stuck: d.ssh(r.typed, "-v"), closed: make(chan struct{}),
		end: func() { endMaster(master) },
	}, nil
}

// socketFolder makes a folder (0700) for the sockets of one login in the first of the places where their names fit.
// The shortest sun_path is that of macOS, 104 bytes (unix(4)), and ssh adds 17 of its own to a ControlPath.
func socketFolder(places ...string) (folder string, err error) {
	const longest = 104 - 1 - len("/rpctl-ssh-4294967295/s.0123456789abcdef")
	err = errors.New("every place for it has a path that is too long")
	for _, place := range places {
		if !filepath.IsAbs(place) || len(place) > longest {
			continue
		}
		if folder, err = os.MkdirTemp(place, "rpctl-ssh-"); err == nil {
			return folder, nil
		}
	}
	return "", err
}

// endMaster asks a master to end (PROTOCOL.mux of OpenSSH: a hello of version 4, then MUX_C_TERMINATE as request 0).
// Without it, the master ends when it was idle for idleMaster.
func endMaster(master net.Conn) {
	const hello, version, terminate = 0x00000001, 4, 0x10000005
	var request []byte
	for _, word := range []uint32{8, hello, version, 8, terminate, 0} {
		request = binary.BigEndian.AppendUint32(request, word)
	}
	_ = master.SetDeadline(time.Now().Add(time.Second))
	_, _ = master.Write(request)
	_, _ = io.Copy(io.Discard, io.LimitReader(master, 4<<10)) // its hello and its consent
	master.Close()
}

// masterOptions are ssh's for a master that does nothing but carry sessions. On the command line they win over the
// configuration (ssh_config(5)): an unknown host key is refused, nothing is forwarded, nothing else is run.
func (d *Dialer) masterOptions(socket string, r Resolved, jumps []hop) []string {
	options := []string{"-N", "-T"}
	for _, option := range []string{
		"ControlMaster=yes", "ControlPath=" + strings.ReplaceAll(socket, "%", "%%"), fmt.Sprintf("ControlPersist=%d", int(idleMaster.Seconds())),
		"StrictHostKeyChecking=yes", "NoHostAuthenticationForLocalhost=no", "ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no",
		"PermitLocalCommand=no", "RemoteCommand=none", "Tunnel=no", "LogLevel=ERROR",
		"ServerAliveInterval=" + seconds(d.options.KeepaliveEvery), "ServerAliveCountMax=1",
	} {
		options = append(options, "-o", option)
	}
	if r.ConnectTimeout == 0 {
		options = append(options, "-o", "ConnectTimeout="+seconds(d.options.DialWithin))
	}
	if d.options.Prompt == nil {
		options = append(options, "-o", "BatchMode=yes")
	}
	if len(jumps) > 0 {
		var words []string
		for _, jump := range jumps {
			words = append(words, jump.String())
		}
		options = append(options, "-J", strings.Join(words, ","))
	}
	return options
}

// seconds rounds up: 0 would mean "never" to ssh.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

// sshFailed is what ssh printed, as a failure of a hop.
func (d *Dialer) sshFailed(r Resolved, stderr string, err error) error {
	var lines []string
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "@@@") {
			lines = append(lines, line)
		}
	}
	const most = 3 // the reason stands at the end
	said := printable.Excerpt(strings.Join(lines[max(len(lines)-most, 0):], "; "), 400)
	if said == "" {
		said = err.Error()
	}
	next := d.ssh(r.typed, "-v")
	switch {
	case strings.Contains(said, "host key is known"):
		next = d.ssh(r.typed, "-o", "StrictHostKeyChecking=ask") + " true"
	case d.options.Prompt == nil && strings.Contains(said, "Permission denied"):
		next = "ssh-add"
	}
	return &failure{message: "ssh cannot log in: " + said, next: next, err: err}
}
