//go:build linux

package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/agent/internal/units/unitstest"
)

// unitFolder is forgotten at the next boot, should a test leave something behind.
const unitFolder = "/run/systemd/system"

// nobody is a uid for which no polkit rule says anything.
const nobody = 65534

func TestConformance(t *testing.T) {
	needLabHost(t)
	unitstest.Run(t, fixture)
}

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
	lines = append(lines, "[Service]", "ExecStart="+strings.Join(u.Argv, " "), "RestartSec="+seconds(u.RestartSec))
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

// TestRestartWithoutSignals: polling alone must get a restart to its end.
func TestRestartWithoutSignals(t *testing.T) {
	needLabHost(t)
	const unit = "rpctl-suite-silent@1.service"
	install(t, unitstest.Unit{Name: unit, Argv: []string{"/bin/sleep", "1000"}})
	systemctl(t, "daemon-reload")
	m := connect(t)
	m.bus.setOwner("") // every signal is now somebody else's
	var seen []units.State
	result, err := m.Restart(t.Context(), unit, func(s units.State) { seen = append(seen, s) })
	if err != nil || result != "done" || len(seen) < missedPolls || !seen[len(seen)-1].Running() {
		t.Errorf("Restart = %q, %v; seen %+v", result, err, seen)
	}
}

// TestRestartThroughReexec: systemd keeps jobs and comes back, under whatever name.
func TestRestartThroughReexec(t *testing.T) {
	needLabHost(t)
	const unit = "rpctl-suite-reexec@1.service"
	stage := unitstest.NewStage(t)
	install(t, unitstest.Unit{Name: unit, Argv: stage.Program(unitstest.Lingering), TimeoutStop: time.Minute})
	systemctl(t, "daemon-reload")
	m := connect(t)
	if result, err := m.Restart(t.Context(), unit, func(units.State) {}); err != nil || result != "done" {
		t.Fatalf("Restart = %q, %v", result, err)
	}
	stage.Hear("up")
	before, err := m.State(t.Context(), unit)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	result, err := m.Restart(t.Context(), unit, func(s units.State) {
		if s.Active == "deactivating" {
			once.Do(func() { systemctl(t, "daemon-reexec") })
		}
	})
	stage.Hear("term")
	stage.Hear("up")
	after, stateErr := m.State(t.Context(), unit)
	if err != nil || stateErr != nil || result != "done" || after.Invocation == before.Invocation || !after.Running() {
		t.Errorf("Restart = %q, %v; the unit is %+v, %v", result, err, after, stateErr)
	}
}

// TestCloseEndsRestart: a lost connection is an error at once, not a wait.
func TestCloseEndsRestart(t *testing.T) {
	needLabHost(t)
	const unit = "rpctl-suite-lost@1.service"
	stage := unitstest.NewStage(t)
	install(t, unitstest.Unit{Name: unit, Argv: stage.Program(unitstest.Deaf)})
	systemctl(t, "daemon-reload")
	m := connect(t)
	if _, err := m.Restart(t.Context(), unit, func(units.State) {}); err != nil {
		t.Fatal(err)
	}
	stage.Hear("up")
	result, err := m.Restart(t.Context(), unit, func(s units.State) {
		if s.Active == "deactivating" {
			_ = m.Close()
		}
	})
	if err == nil {
		t.Errorf("Restart = %q over a connection that is gone", result)
	}
	if _, err := m.State(t.Context(), unit); err == nil {
		t.Error("State over a connection that is gone")
	}
}

// TestNewGivesUp: a context that has ended makes no connection.
func TestNewGivesUp(t *testing.T) {
	needLabHost(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m, err := New(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("New = %v, %v", m, err)
	}
}
