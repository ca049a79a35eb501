package migration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

// install brings people's keys to both hosts, and preprod's receipt key to prod; a second one changes nothing.
func install(t *testing.T, s *stage) {
	s.agent(t, 4, "install", "prod").Failure(t, "refused", "receipt key", "rpctl agent install --env preprod")
	for _, env := range []string{"preprod", "prod"} {
		s.agent(t, 0, "install", env)
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
	if want := fmt.Sprintf("preprod namespaces=\"applied@rpctl\" %s", key); !strings.Contains(trusted, want) {
		t.Errorf("prod trusts\n%s\nand not\n%s", trusted, want)
	}
}

// agent is an `rpctl agent VERB`, as who may use sudo.
func (s *stage) agent(t *testing.T, want int, verb, env string) labtest.Outcome {
	t.Helper()
	return s.Rpctl(t, want, "agent", verb, "--env", env, "--login", "admin", "--yes", "--allow-loosening")
}
