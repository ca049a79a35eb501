package labtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab"
)

// On runs a command on a host as root and returns its standard output.
func On(t testing.TB, h *lab.Host, argv ...string) string {
	t.Helper()
	out, err := h.Run(t.Context(), argv...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// Put writes a file of a host, owned by root; who reads meanwhile sees the old one or the new one.
func Put(t testing.TB, h *lab.Host, name, content string) {
	t.Helper()
	if err := h.WriteFile(t.Context(), name+".new", []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	On(t, h, "mv", "-f", name+".new", name)
}

// Read is the content of a file of a host.
func Read(t testing.TB, h *lab.Host, name string) string {
	t.Helper()
	content, err := h.ReadFile(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Property is what a host's systemd says of a unit.
func Property(t testing.TB, h *lab.Host, unit, name string) string {
	t.Helper()
	return strings.TrimSpace(On(t, h, "systemctl", "show", "--value", "-p", name, unit))
}

// Fault makes a worker bad from its next start on, "none" makes it good; see lab/symfony/src/Fault.php.
func Fault(t testing.TB, h *lab.Host, worker, kind string) {
	t.Helper()
	Put(t, h, lab.AppPath+"/shared/faults/"+worker, kind)
}

// WaitForLine waits until a log of the application, in its shared folder, has a text.
func WaitForLine(t testing.TB, h *lab.Host, file, want string) {
	t.Helper()
	Eventually(t, 2*time.Minute, func() error {
		log, _ := h.ReadFile(t.Context(), lab.AppPath+"/shared/"+file)
		if !strings.Contains(log, want) {
			return fmt.Errorf("%s has no %q: %s", file, want, log)
		}
		return nil
	})
}

// Eventually looks again and again at what a host has no event for, until look has no error.
func Eventually(t testing.TB, limit time.Duration, look func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for err := look(); err != nil; err = look() {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}
