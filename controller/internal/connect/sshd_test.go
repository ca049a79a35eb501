package connect

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// realHost is an OpenSSH server of this machine, on a loopback port, with a key of its own.
type realHost struct {
	port int
	line string // its known_hosts line
	log  *serverLog
}

// serverLog collects what sshd says, for a test that fails.
type serverLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *serverLog) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(line + "\n")
}

func (l *serverLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func findSSHD(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd"} {
		if _, err := os.Stat(path); err == nil {
			if _, err := exec.LookPath("ssh"); err != nil {
				t.Skip("no ssh program here")
			}
			return path
		}
	}
	t.Skip("no OpenSSH server here")
	return ""
}

// startSSHD runs sshd for the bench's key until the end of the test. Its host key is of the kind that comes first in
// options, ed25519 where that is empty; the other options are lines of sshd_config(5), the first value of each counts.
func (b *bench) startSSHD(name string, options ...string) *realHost {
	b.t.Helper()
	sshd := findSSHD(b.t)
	kind := "ed25519"
	if len(options) > 0 {
		kind, options = cmp.Or(options[0], kind), options[1:]
	}
	hostKey := b.path(name + "_host")
	b.keygen("-q", "-t", kind, "-N", "", "-f", hostKey)
	public, err := os.ReadFile(hostKey + ".pub")
	if err != nil {
		b.t.Fatal(err)
	}
	host := &realHost{port: freePort(b.t), log: &serverLog{}}
	host.line = fmt.Sprintf("[127.0.0.1]:%d %s", host.port, public)
	authorized := b.write(name+"_authorized", string(ssh.MarshalAuthorizedKey(b.key.PublicKey())))
	config := b.write(name+"_sshd", strings.Join(options, "\n")+fmt.Sprintf(`
Port %d
ListenAddress 127.0.0.1
HostKey %s
AuthorizedKeysFile %s
StrictModes no
UsePAM no
PasswordAuthentication no
PidFile none
Subsystem sftp internal-sftp
`, host.port, hostKey, authorized))
	argv := []string{sshd, "-D", "-e", "-f", config}
	if os.Getuid() == 0 { // root's sshd wants /run/sshd: give it a /run of its own, and leave the machine's alone
		argv = []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"`, "sh"}
		argv = append(argv, sshd, "-D", "-e", "-f", config)
	}
	host.run(b.t, argv)
	return host
}

// run starts sshd and waits until it listens.
func (h *realHost) run(t *testing.T, argv []string) {
	t.Helper()
	command := exec.Command(argv[0], argv[1:]...)
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Skipf("cannot start sshd: %v", err)
	}
	listening := make(chan bool, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			h.log.add(lines.Text())
			if strings.Contains(lines.Text(), "Server listening") {
				listening <- true
			}
		}
		close(listening)
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		<-drained
		_ = command.Wait()
		if t.Failed() {
			t.Logf("sshd said:\n%s", h.log)
		}
	})
	if !<-listening {
		t.Skipf("sshd does not start here: %s", h.log)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// real adds a host to the configuration as alias does, for a real sshd and the real login user.
func (b *bench) real(name string, host *realHost, more ...string) {
	b.t.Helper()
	known := b.write("known_"+name, host.line)
	fmt.Fprintf(&b.config, "Host %s\n  HostName 127.0.0.1\n  Port %d\n  User %s\n", name, host.port, me(b.t))
	for _, line := range more {
		fmt.Fprintf(&b.config, "  %s\n", line)
	}
	fmt.Fprintf(&b.config, "  UserKnownHostsFile %s\n  GlobalKnownHostsFile none\n  IdentityFile %s\n  IdentitiesOnly yes\n", known, b.path("id"))
}

// me is the login user.
func me(t *testing.T) string {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return me.Username
}

// dialReal connects with ssh reading the configuration. A master has time to answer on a slow machine too.
func (b *bench) dialReal(alias string) (*Conn, error) { return b.dialMaster(alias, time.Minute) }

// dialMaster is dialReal with so much time for a master to answer.
func (b *bench) dialMaster(alias string, within time.Duration) (*Conn, error) {
	b.t.Helper()
	dialer := New(Options{SSHConfig: b.write("config", b.config.String()), MasterWithin: within})
	conn, err := dialer.Dial(b.t.Context(), alias)
	if err == nil {
		b.t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// run runs a command over a connection and returns what it printed and its status.
func run(t *testing.T, conn *Conn, command, input string) (string, int) {
	t.Helper()
	e, err := conn.Start(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	go func() { // while the output is read: neither fits the other's window
		_, _ = io.WriteString(e.Stdin(), input)
		_ = e.Stdin().Close()
	}()
	stdout, err := io.ReadAll(e.Stdout())
	if err != nil {
		t.Fatal(err)
	}
	status, err := e.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return string(stdout), status
}

func checkRuns(t *testing.T, conn *Conn, via string) {
	t.Helper()
	if conn.Via() != via {
		t.Errorf("via %q, want %q", conn.Via(), via)
	}
	if conn.User() != me(t) {
		t.Errorf("%s: the login is %q, want %q", via, conn.User(), me(t))
	}
	long := strings.Repeat("0123456789abcdef\n", 200_000) // more than the windows hold
	if out, status := run(t, conn, "cat; exit 3", long); out != long || status != 3 {
		t.Errorf("%d bytes came back of %d, status %d", len(out), len(long), status)
	}
	if out, status := run(t, conn, "rp-agent-that-is-not-there rpc", ""); out != "" || status != 127 {
		t.Errorf("stdout %q, status %d, want 127", out, status)
	}
	e, err := conn.Start(t.Context(), "kill -9 $$")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Wait(); err == nil || !strings.Contains(err.Error(), "signal KILL") {
		t.Errorf("got %v, want the signal", err)
	}
	checkSFTP(t, conn)
}

func checkSFTP(t *testing.T, conn *Conn) {
	t.Helper()
	files, err := sftp.NewClient(conn.Client())
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	if _, err := files.Stat("/"); err != nil {
		t.Error(err)
	}
}

func TestRealDirect(t *testing.T) {
	b := newBench(t)
	b.real("pp1", b.startSSHD("pp1"))
	conn, err := b.dialReal("pp1")
	if err != nil {
		t.Fatal(err)
	}
	checkRuns(t, conn, "direct")
}

// TestRealAsked: ssh says what %C stands for, and rpctl logs in itself all the same.
func TestRealAsked(t *testing.T) {
	b := newBench(t)
	b.real("pp1", b.startSSHD("pp1"), "ControlPath "+b.path("cm-%C"))
	for _, via := range []string{"direct", "control master"} {
		conn, err := b.dialReal("pp1")
		if err != nil {
			t.Fatal(err)
		}
		checkRuns(t, conn, via)
		if via == "direct" {
			b.openMaster("pp1")
		}
	}
}

func TestRealHostKeys(t *testing.T) {
	b := newBench(t)
	host := b.startSSHD("pp1")
	other, _ := newKey(t)
	b.real("unknown", &realHost{port: host.port, line: ""})
	b.real("changed", &realHost{port: host.port, line: fmt.Sprintf("[127.0.0.1]:%d %s", host.port, ssh.MarshalAuthorizedKey(other.PublicKey()))})
	_, err := b.dialReal("unknown")
	checkFailure(t, err, exit.Unreachable, "unknown host key: ED25519 SHA256:", "ssh -o StrictHostKeyChecking=ask -F ")
	_, err = b.dialReal("changed")
	checkFailure(t, err, exit.Unreachable, b.path("known_changed")+":1", "ssh-keygen -f "+b.path("known_changed")+" -R '[127.0.0.1]:")
}

func TestRealKeys(t *testing.T) {
	b := newBench(t)
	host := b.startSSHD("pp1")
	b.real("agent", host, "IdentityAgent "+b.serveAgent(b.secret))
	b.real("wrong", host)
	_, strangerSecret := newKey(t)
	b.writeKey("id", strangerSecret)
	conn, err := b.dialReal("wrong")
	checkFailure(t, err, exit.Unreachable, "no usable key for user", "ssh -v")
	if conn != nil {
		t.Fatal("a stranger's key was let in")
	}
	b.write("id.pub", string(ssh.MarshalAuthorizedKey(b.key.PublicKey())))
	if err := os.Remove(b.path("id")); err != nil {
		t.Fatal(err)
	}
	conn, err = b.dialReal("agent")
	if err != nil {
		t.Fatal(err)
	}
	checkRuns(t, conn, "direct")
}

func TestRealJump(t *testing.T) {
	b := newBench(t)
	b.real("bastion", b.startSSHD("bastion"))
	b.real("pp1", b.startSSHD("pp1"), "ProxyJump bastion")
	conn, err := b.dialReal("pp1")
	if err != nil {
		t.Fatal(err)
	}
	checkRuns(t, conn, "jump bastion")
}

// openMaster lets ssh open a master connection; its process is returned.
func (b *bench) openMaster(alias string) (pid int) {
	b.t.Helper()
	config := b.write("config", b.config.String())
	ssh := func(argv ...string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		output, err := os.CreateTemp(b.folder, "ssh-output") // a file: the master keeps it open
		if err != nil {
			b.t.Fatal(err)
		}
		defer output.Close()
		command := exec.CommandContext(ctx, "ssh", append([]string{"-F", config}, argv...)...)
		command.Stdout, command.Stderr = output, output
		err = command.Run()
		text, readErr := os.ReadFile(output.Name())
		return string(text), errors.Join(err, readErr)
	}
	if text, err := ssh("-M", "-N", "-f", alias); err != nil {
		b.t.Fatalf("cannot open a master: %v: %s", err, text)
	}
	b.t.Cleanup(func() { _, _ = ssh("-O", "exit", alias) })
	text, err := ssh("-O", "check", alias)
	found := regexp.MustCompile(`pid=(\d+)`).FindStringSubmatch(text)
	if err != nil || found == nil {
		b.t.Fatalf("no master: %v: %s", err, text)
	}
	pid, _ = strconv.Atoi(found[1])
	return pid
}

func TestRealMaster(t *testing.T) {
	b := newBench(t)
	host := b.startSSHD("pp1")
	b.real("pp1", host, "ControlPath "+b.path("%h-%p-%r"))
	b.openMaster("pp1")
	if err := os.Remove(b.path("id")); err != nil { // no handshake of ours could log in now
		t.Fatal(err)
	}
	conn, err := b.dialReal("pp1")
	if err != nil {
		t.Fatal(err)
	}
	checkRuns(t, conn, "control master")
	conn.Close()
	again, err := b.dialReal("pp1") // the master outlives our use of it
	if err != nil {
		t.Fatal(err)
	}
	checkRuns(t, again, "control master")
}

func TestRealJumpOverMaster(t *testing.T) {
	b := newBench(t)
	b.real("bastion", b.startSSHD("bastion"), "ControlPath "+b.path("m"))
	b.real("pp1", b.startSSHD("pp1"), "ProxyJump bastion")
	b.openMaster("bastion")
	conn, err := b.dialReal("pp1")
	if err != nil {
		t.Fatal(err)
	}
	checkRuns(t, conn, "jump bastion")
}

func TestRealMasterThatDied(t *testing.T) {
	b := newBench(t)
	b.real("pp1", b.startSSHD("pp1"), "ControlPath "+b.path("m"))
	pid := b.openMaster("pp1")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	conn, err := b.dialReal("pp1")
	if err != nil {
		t.Fatal(err)
	}
	checkRuns(t, conn, "direct")
}

func TestRealMasterThatHangs(t *testing.T) {
	b := newBench(t)
	b.real("pp1", b.startSSHD("pp1"), "ControlPath "+b.path("m"))
	pid := b.openMaster("pp1")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	conn, err := b.dialMaster("pp1", 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	checkRuns(t, conn, "direct")
}
