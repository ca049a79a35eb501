package exit

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/internal/exitcode"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
	"github.com/re-connect/rpctl/systemd"
)

// Place is where an operator stands when a host advises something: all that a command to type next is made of.
// It comes from the operator's command line and from hosts.toml, never from the host.
type Place struct {
	Host, Environment string
	Before            string              // environment that applies a plan before this one
	Plan              string              // path of the plan's file; empty where the command has none
	Steps             []plan.StepID       // of the plan
	Apply             bool                // the command applies the plan, or shows where it stands
	Workers           []proto.UnitPattern // that hosts.toml lists
	Groups            []string            // that hosts.toml lets look or act
}

// Command is rpctl's own command for an advice. It is empty where the advice is none that rpctl knows, or names
// something that the place does not have: an advice never brings --yes or --break-glass, and --apply in a place
// that applies this very plan alone.
func (p Place) Command(a proto.Advice) string {
	switch a.Reach() {
	case proto.Controller:
		return p.ofRpctl(a)
	case proto.Machine:
		return a.Text()
	case proto.Host:
		if p.Host == "" {
			return a.Text()
		}
		return "ssh " + p.Host + " " + remote(a.Text())
	case proto.Root:
		return p.ofRoot(a)
	default:
		return ""
	}
}

// Follow is Command, and where that is empty the advice as the host's suggestion, which is shown as such.
func (p Place) Follow(a proto.Advice, suggests proto.HostText) (string, proto.HostText) {
	if own := p.Command(a); own != "" {
		return own, ""
	}
	if text := a.Text(); text != "" {
		return "", proto.HostText(text)
	}
	return "", suggests
}

// Refusal is a host's error as a failure.
func (p Place) Refusal(sent *proto.Error) *Error {
	failure := &Error{Code: exitcode.Of(sent.Code), Host: p.Host, Message: string(sent.Message), Err: sent}
	failure.Next, failure.HostSuggests = p.Follow(sent.Advice, sent.HostSuggests)
	return failure
}

// Own puts the commands of this place into a job's error, for whoever reads it as JSON.
func (p Place) Own(job proto.Job) proto.Job {
	if job.Error != nil && job.Error.Next == "" {
		own := *job.Error
		own.Next, own.HostSuggests = p.Follow(own.Advice, own.HostSuggests)
		own.Advice = proto.Advice{}
		job.Error = &own
	}
	return job
}

// Command is a command of rpctl: words as a shell takes them.
func Command(words ...string) string {
	line := "rpctl"
	for _, word := range words {
		line += " " + Word(word)
	}
	return line
}

// verbs are the words of the commands that take an environment and nothing else.
var verbs = map[proto.AdviceCode][]string{
	proto.AdviceStatus: {"status"}, proto.AdviceHistory: {"history"}, proto.AdviceJobs: {"jobs"}, proto.AdviceDoctor: {"doctor"},
	proto.AdviceDeploy: {"deploy"}, proto.AdviceInstall: {"agent", "install"}, proto.AdviceUpgrade: {"agent", "upgrade"},
	proto.AdviceDiff: {"agent", "diff"},
}

func (p Place) ofRpctl(a proto.Advice) string {
	if words, ok := verbs[a.Code]; ok {
		return p.in(words...)
	}
	switch a.Code {
	case proto.AdviceAttach:
		return p.in("attach", string(a.Job))
	case proto.AdviceCancel:
		return p.in("cancel", string(a.Job))
	case proto.AdvicePlanNew:
		return Command("plan", "new")
	}
	if p.Plan == "" { // the file is not known here, and the jobs say which plan it was
		return p.in("jobs")
	}
	switch a.Code {
	case proto.AdvicePlanCheck:
		return Command("plan", "check", p.Plan)
	case proto.AdviceSimulate:
		return p.in("migrate", "--plan", p.Plan)
	case proto.AdviceApprove:
		return p.in("migrate", "approve", "--plan", p.Plan)
	case proto.AdviceRevoke:
		return p.in("migrate", "revoke", "--plan", p.Plan)
	case proto.AdviceBefore:
		if p.Before != "" {
			return Command("migrate", "status", "--plan", p.Plan, "--env", p.Before)
		}
	case proto.AdviceResolve:
		if p.Apply && slices.Contains(p.Steps, a.Step) {
			reason := fmt.Sprintf("a fresh dry run shows %d left", a.Left)
			return Command("migrate", "--apply", "--plan", p.Plan, "--env", p.Environment, "--resolve", string(a.Step)+"="+a.As, "--reason", reason)
		}
	}
	return p.in("migrate", "status", "--plan", p.Plan)
}

// in is a command of rpctl for this place's environment.
func (p Place) in(words ...string) string {
	if p.Environment != "" {
		words = append(words, "--env", p.Environment)
	}
	return Command(words...)
}

// ofRoot is what an administrator types. What an install mends is an install, which asks for an admin login;
// the rest needs a terminal for a password.
func (p Place) ofRoot(a proto.Advice) string {
	switch a.Code {
	case proto.AdviceSetup, proto.AdviceStartSocket, proto.AdviceRestartSocket, proto.AdviceEnableSocket, proto.AdviceReload:
		return p.in("agent", "install")
	case proto.AdviceUsage: // it only reads
	case proto.AdviceRemove, proto.AdviceOwner, proto.AdviceRights:
		if path.Dir(a.Path) == path.Dir(proto.ConfigPath) || a.Path == path.Dir(proto.ConfigPath) {
			return p.in("agent", "install")
		}
		return "" // rpctl does not know the file, and root would touch it on the host's word alone
	case proto.AdviceProtect:
		if !within(a.Path, systemd.Binary) {
			return ""
		}
	case proto.AdviceEnable:
		if !slices.ContainsFunc(p.Workers, func(pattern proto.UnitPattern) bool { return pattern.Match(string(a.Unit)) }) {
			return ""
		}
	case proto.AdviceGroup:
		if !slices.Contains(p.Groups, a.Account) {
			return ""
		}
	}
	if p.Host == "" {
		return a.Text()
	}
	return "ssh -t " + p.Host + " " + remote(a.Text())
}

// within says whether folder is one of those that file is in.
func within(folder, file string) bool {
	for at := path.Dir(file); at != "/"; at = path.Dir(at) {
		if at == folder {
			return true
		}
	}
	return false
}

// remote is a command as the host's shell shall read it: in quotes where this one would read some of it first.
func remote(command string) string {
	switch {
	case !strings.ContainsAny(command, "\"'`$\\!&;|<>()*?[]{}#~"):
		return command
	case !strings.ContainsAny(command, "\"`$\\!"):
		return `"` + command + `"`
	}
	return Word(command)
}

// From is the failure that err is or holds. A host's advice in it is followed from this place, which knows more
// than the connection that the advice came over; a command that rpctl put there for a reason of its own stays.
func (p Place) From(err error) *Error {
	failure := From(err)
	var refusal *proto.Error
	if failure == nil || !errors.As(err, &refusal) || refusal.Advice == (proto.Advice{}) {
		return failure
	}
	narrow := Place{Host: p.Host, Environment: p.Environment}
	if failure.Next != "" && failure.Next != narrow.Command(refusal.Advice) && failure.Next != (Place{}).Command(refusal.Advice) {
		return failure
	}
	placed := *failure
	placed.Host = cmp.Or(placed.Host, p.Host)
	placed.Next, placed.HostSuggests = p.Follow(refusal.Advice, refusal.HostSuggests)
	return &placed
}
