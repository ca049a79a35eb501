//go:build linux

package systemd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/re-connect/rpctl/agent/internal/units/unitstest"
)

// unitFolder is forgotten at the next boot, should a test leave something behind.
const unitFolder = "/run/systemd/system"

// nobody is a uid for which no polkit rule says anything.
const nobody = 65534

// needLabHost skips where real units may not be made.
func needLabHost(t *testing.T) {
	t.Helper()
	if os.Getenv("RPCTL_LAB_HOST") != "1" {
		t.Skip("needs root on a lab host with systemd: RPCTL_LAB_HOST=1 is not set")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root on a lab host with systemd: this is not root")
	}
}

func fixture(t *testing.T, installed ...unitstest.Unit) unitstest.Host {
	t.Helper()
	for _, u := range installed {
		install(t, u)
	}
	systemctl(t, "daemon-reload")
	return unitstest.Host{
		Manager: connect(t),
		Refused: connectAs(t, nobody),
		Stop:    func(t *testing.T, unit string) { systemctl(t, "stop", unit) },
	}
}

func connect(t *testing.T, options ...dbus.ConnOption) *Manager {
	t.Helper()
	m, err := open(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// connectAs connects as another user: the bus asks the kernel who the connecting
// thread is. The thread is not unlocked, so it ends with its goroutine.
func connectAs(t *testing.T, uid int) *Manager {
	t.Helper()
	var m *Manager
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			err = errno
			return
		}
		m, err = open(t.Context(), dbus.WithAuth(dbus.AuthExternal(strconv.Itoa(uid))))
	}()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// install writes a unit as it would stand on a host, and takes it away again.
func install(t *testing.T, u unitstest.Unit) {
	t.Helper()
	file := filepath.Join(unitFolder, u.Name)
	t.Cleanup(func() { uninstall(u.Name) })
	if u.Masked {
		symlink(t, os.DevNull, file)
		return
	}
	if err := os.WriteFile(file, []byte(render(u)), 0o644); err != nil {
		t.Fatal(err)
	}
	if u.Enabled {
		wants := filepath.Join(unitFolder, "multi-user.target.wants")
		if err := os.MkdirAll(wants, 0o755); err != nil {
			t.Fatal(err)
		}
		symlink(t, file, filepath.Join(wants, u.Name))
	}
}

// uninstall cancels a restart before it kills, or the killed unit would start again.
func uninstall(name string) {
	pattern := strings.Replace(name, "@.", "@*.", 1)
	_ = exec.Command("systemctl", "stop", "--no-block", pattern).Run()
	_ = exec.Command("systemctl", "kill", "--signal=KILL", pattern).Run()
	_ = exec.Command("systemctl", "stop", pattern).Run()
	_ = os.Remove(filepath.Join(unitFolder, name))
	_ = os.Remove(filepath.Join(unitFolder, "multi-user.target.wants", name))
	_ = exec.Command("systemctl", "reset-failed", pattern).Run()
	_ = exec.Command("systemctl", "daemon-reload").Run()
}

func render(u unitstest.Unit) string {
	lines := []string{"[Unit]", "StartLimitIntervalSec=" + seconds(u.StartLimitInterval)}
	if u.StartLimitBurst > 0 {
		lines = append(lines, fmt.Sprintf("StartLimitBurst=%d", u.StartLimitBurst))
	}
	lines = append(lines, "[Service]", "ExecStart="+strings.Join(u.Argv, " "), "RestartSec="+seconds(u.RestartDelay))
	if u.TimeoutStop > 0 {
		lines = append(lines, "TimeoutStopSec="+seconds(u.TimeoutStop))
	} else {
		lines = append(lines, "TimeoutStopSec=infinity")
	}
	if u.Restart {
		lines = append(lines, "Restart=on-failure")
	}
	return strings.Join(slices.Concat(lines, []string{""}), "\n")
}

func seconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }

func symlink(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func systemctl(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("systemctl", args...).CombinedOutput(); err != nil {
		t.Fatalf("systemctl %v: %v: %s", args, err, out)
	}
}
