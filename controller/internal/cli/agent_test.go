package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

func TestReadApprovers(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
	for name, c := range map[string]struct {
		content string
		ok      bool
	}{
		"good":           {`claire namespaces="approval@rpctl,apply@rpctl" ` + key + "\n", true},
		"comments alone": {"# nobody yet\n", true},
		"no key":         {"claire\n", false},
		"for everybody":  {"* " + key + "\n", false},
		"unknown option": {"claire cert-authority " + key + "\n", false},
	} {
		path := filepath.Join(t.TempDir(), "approvers")
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := newDesk(t).app().readApprovers(path)
		if c.ok && (err != nil || got != c.content) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if failure := exit.From(err); !c.ok && (failure == nil || failure.Code != exit.BadInput || !strings.Contains(failure.Message, path) || failure.Next == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := newDesk(t).app().readApprovers(filepath.Join(t.TempDir(), "none")); exit.From(err) == nil || exit.From(err).Code != exit.BadInput {
		t.Errorf("a missing file: %v", err)
	}
	if got, err := newDesk(t).app().readApprovers(""); got != "" || err != nil {
		t.Errorf("no file named: %q, %v", got, err)
	}
}
