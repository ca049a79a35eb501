package migration

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

// install brings people's keys to both hosts, and preprod's pinned receipt key to prod; a second one changes nothing.
func install(t *testing.T, s *stage) {
	if err := os.Remove(s.pinned()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	s.agent(t, 4, "install", "prod").Failure(t, "refused", "no receipt key of preprod is pinned", " agent pin --env preprod")
	for _, env := range []string{"preprod", "prod"} {
		s.agent(t, 0, "install", env)
		s.pin(t, env)
		again := s.agent(t, 0, "install", env).Last(t, "setup").Setup
		if len(again.Changes) > 0 {
			t.Errorf("a second install on %s changes %+v", env, again.Changes)
		}
		for _, e := range s.Rpctl(t, 0, "doctor", "--env", env).Of("check") {
			if !e.Check.OK {
				t.Errorf("%s: %s: %s", env, e.Check.Name, e.Check.Detail)
			}
		}
	}
	for _, h := range []*lab.Host{s.preprod, s.prod} {
		people := labtest.Read(t, h, "/etc/rp-agent/approvers")
		for _, name := range []string{"developer ", "claire "} {
			if !strings.Contains(people, name+`namespaces="approval@rpctl,apply@rpctl" ssh-ed25519 `) {
				t.Errorf("the approvers of %s have no line of %s:\n%s", h.Role, name, people)
			}
		}
		console(t, h, "app:seed-migration")
		if people := sql(t, h, "SELECT COUNT(*) FROM individual"); people == "0" {
			t.Errorf("%s: the application's data are not in MariaDB", h.Role)
		}
	}
	key := strings.Join(strings.Fields(labtest.On(t, s.preprod, "ssh-keygen", "-y", "-f", "/var/lib/rp-agent/receipt_key"))[:2], " ")
	trusted := labtest.Read(t, s.prod, "/etc/rp-agent/trusted_hosts")
	if want := fmt.Sprintf("preprod namespaces=\"simulation@rpctl,applied@rpctl\" %s preprod\n", key); !strings.HasSuffix(trusted, "\n"+want) || strings.Count(trusted, "ssh-ed25519") != 1 {
		t.Errorf("prod trusts\n%s\nand not\n%s", trusted, want)
	}
}

// pinned is the file of pinned receipt keys that the lab's hosts.toml names.
func (s *stage) pinned() string {
	return filepath.Join(filepath.Dir(s.Inventory), "ssh", "trusted_hosts")
}

// pin pins the receipt key of an environment; a second time there is nothing to change.
func (s *stage) pin(t *testing.T, env string) {
	t.Helper()
	if env == "preprod" { // whose alias logs in as the application's user
		s.Rpctl(t, 4, "agent", "pin", "--env", env, "--unreviewed", "a lab").Failure(t, "refused", "application's user", "--login")
	}
	if pin := s.agent(t, 0, "pin", env).Last(t, "pin").Pin; !pin.Written || pin.Name != env {
		t.Errorf("pinned %+v", pin)
	}
	if pin := s.agent(t, 0, "pin", env).Last(t, "pin").Pin; pin.Changes || pin.Written {
		t.Errorf("pinned twice: %+v", pin)
	}
}

// agent is an `rpctl agent VERB`, as who may use sudo.
func (s *stage) agent(t *testing.T, want int, verb, env string) labtest.Outcome {
	t.Helper()
	args := []string{"agent", verb, "--env", env, "--login", "admin", "--yes", "--unreviewed", "a lab"}
	if verb != "pin" {
		args = append(args, "--allow-loosening")
	}
	return s.Rpctl(t, want, args...)
}
