package migration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/internal/signature"

	"github.com/re-connect/rpctl/lab/labtest"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// lyingLogin: PHP on preprod has written its user's .bashrc, which answers for rp-agent, sudo and all else that a login
// runs by name or by path, with a key of its own and a line of its own. Prod gets neither, and the key opens no gate.
func lyingLogin(t *testing.T, s *stage) {
	const bashrc = "/home/app/.bashrc"
	before := labtest.Read(t, s.preprod, bashrc)
	defer labtest.Put(t, s.preprod, bashrc, before)
	private, public, err := sshhost.NewClientKey("rp-agent@preprod")
	if err != nil {
		t.Fatal(err)
	}
	evil, err := ssh.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	forged := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
	change := `sed -u 's|"receipt_key":"[^"]*"|"receipt_key":"` + forged + ` x\\nprod ` + forged + `"|'`
	labtest.Put(t, s.preprod, bashrc, `rp-agent() { command rp-agent "$@" | `+change+`; }
function /usr/local/bin/rp-agent { command /usr/local/bin/rp-agent "$@" | `+change+`; }
sudo() { echo '{"host":"preprod","public_key":"`+forged+`"}'; }
id() { echo 0; }
`)
	out, err := s.SSH(t.Context(), "rp-preprod", "rp-agent rpc </dev/null")
	if err != nil || !strings.Contains(out, forged) {
		t.Fatalf("the login does not lie: %v\n%s", err, out)
	}
	if said := s.Rpctl(t, 1, "doctor", "--env", "preprod").Of("check"); !failed(said, "pinned receipt key") {
		t.Error("doctor believes the key that the login reports")
	}
	if err := os.Remove(s.pinned()); err != nil {
		t.Fatal(err)
	}
	s.Rpctl(t, 4, "agent", "pin", "--env", "preprod", "--yes", "--unreviewed", "a lab").Failure(t, "refused", "application's user", "--login")
	s.agent(t, 4, "install", "prod").Failure(t, "refused", "no receipt key of preprod is pinned", " agent pin --env preprod")
	for _, env := range []string{"preprod", "prod"} {
		s.agent(t, 0, "pin", env)
	}
	s.agent(t, 0, "install", "prod")
	pinned, err := os.ReadFile(s.pinned())
	if err != nil {
		t.Fatal(err)
	}
	trusted := labtest.Read(t, s.prod, "/etc/rp-agent/trusted_hosts")
	if strings.Contains(trusted+string(pinned), strings.Fields(forged)[1]) || !strings.Contains(trusted, strings.Fields(labtest.On(t, s.preprod, "ssh-keygen", "-y", "-f", "/var/lib/rp-agent/receipt_key"))[1]) {
		t.Errorf("prod trusts\n%s", trusted)
	}
	path := s.plan(t, "forged.toml", ticket)
	s.Rpctl(t, 4, "migrate", "--plan", path, "--env", "preprod").Failure(t, "refused", "another receipt key", " agent pin --env preprod")
	s.forgedReceipt(t, evil, s.migration(t, path))
}

func failed(checks []labtest.Event, name string) bool {
	for _, e := range checks {
		if e.Check.Name == proto.HostText(name) {
			return !e.Check.OK
		}
	}
	return false
}

// migration is the plan of a file.
func (s *stage) migration(t *testing.T, path string) plan.Plan {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.Bin, "rpctl"), "plan", "check", "--json", path)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var event struct{ Migration *plan.Plan }
	if err := json.Unmarshal(bytes.SplitN(out, []byte("\n"), 2)[0], &event); err != nil || event.Migration == nil {
		t.Fatalf("%v: %s", err, out)
	}
	return *event.Migration
}

// forgedReceipt brings prod a receipt by the key that preprod's login reported, good in all else.
func (s *stage) forgedReceipt(t *testing.T, by ssh.Signer, p plan.Plan) {
	t.Helper()
	now := time.Now().UTC()
	applied := proto.Applied{Kind: "applied", Environment: "preprod", Host: "preprod", Plan: p.Digest(), Time: now, Expires: now.AddDate(100, 0, 0), Nonce: "0"}
	for _, step := range p.Steps() {
		applied.Steps = append(applied.Steps, plan.Forecast{Step: step.ID})
	}
	signed, err := signature.Sign(by, proto.NamespaceApplied, proto.CanonicalBody(applied))
	if err != nil {
		t.Fatal(err)
	}
	args, err := json.Marshal(proto.PlanStatusArgs{Plan: p, Receipts: []proto.Signed{signed}})
	if err != nil {
		t.Fatal(err)
	}
	request := fmt.Sprintf(`{"id":1,"protocol":1,"op":"plan-status","environment":"prod","args":%s}`, args)
	labtest.Put(t, s.prod, "/tmp/forged.json", request+"\n")
	out, err := s.SSH(t.Context(), "rp-prod", "rp-agent rpc </tmp/forged.json")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(out, `"gate":4,"name":"before","open":false`) || !strings.Contains(out, "is not accepted here") {
		t.Errorf("gate 4 says\n%s", out)
	}
	labtest.On(t, s.prod, "rm", "/tmp/forged.json")
}
