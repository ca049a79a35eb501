package local

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// onTerminal runs script under beRpctl on a terminal of its own, types keys when "ready" is
// printed, and gives all that the terminal showed.
func onTerminal(t *testing.T, script, keys string) string {
	t.Helper()
	master, slave := openTerminal(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), helperScript+"="+script)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(t, cmd.Start())
	must(t, slave.Close())
	screen := watchFor("ready")
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		_, _ = io.Copy(screen, master) // ends with EIO when the last one has closed the terminal
	}()
	select {
	case <-screen.seen:
	case <-shown:
		t.Fatalf("it ended early: %s", screen.got.String())
	}
	_, err := master.WriteString(keys)
	must(t, err)
	_ = cmd.Wait()
	<-shown
	return screen.got.String()
}

func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { _ = master.Close() })
	must(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	must(t, err)
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	return master, slave
}

const ctrlC = "\x03"

// Ctrl-C reaches the command through the terminal: it gets one SIGINT, and time to end.
func TestCtrlCLetsTheCommandEnd(t *testing.T) {
	got := onTerminal(t, `n=0; trap 'n=$((n+1))' INT; trap 'echo was-asked' TERM; echo ready
		while [ $n = 0 ]; do sleep 0.01; done; sleep 0.1; echo "cleaned up after $n"; exit 3`, ctrlC)
	if !strings.Contains(got, "cleaned up after 1") || strings.Contains(got, "\nwas-asked") ||
		!strings.Contains(got, "was interrupted: it ended by itself (exit status 3)]") {
		t.Errorf("the terminal shows %q", got)
	}
}

// The command may ask on the terminal, as ssh does for a passphrase.
func TestTheCommandMayAskOnTheTerminal(t *testing.T) {
	got := onTerminal(t, `printf 'ready? ' >/dev/tty; read answer </dev/tty; echo "answer: $answer"
		kill -INT $PPID; exit 0`, "hush\n")
	if !strings.Contains(got, "answer: hush") || !strings.Contains(got, "[<nil>]") {
		t.Errorf("the terminal shows %q", got)
	}
}

func TestWithoutATerminal(t *testing.T) {
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	// SIGTERM is sent at once: nobody else has told the command
	cmd.Env = append(os.Environ(), helperScript+`=trap 'echo was-asked; exit 4' TERM; kill -INT $PPID; while :; do sleep 0.01; done`)
	cmd.Stdout, cmd.SysProcAttr = &out, &syscall.SysProcAttr{Setsid: true}
	_ = cmd.Run()
	if got := out.String(); !strings.Contains(got, "was-asked") || !strings.Contains(got, "it was asked to end (exit status 4)]") {
		t.Errorf("got %q", got)
	}
}
