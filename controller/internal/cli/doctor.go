package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/deploy"
	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/controller/internal/view"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

func (a *app) doctorCommand() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use:   "doctor [--env ENVIRONMENT]",
		Short: "Probe every assumption, on this machine and on each host, and say how to mend it",
		Args:  a.noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), env) },
	}
	a.envFlag(cmd, &env, "one environment (default: all)")
	return cmd
}

func (a *app) doctor(ctx context.Context, env string) error {
	environments, err := a.environments(env)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.flags.timeout+answerTime)
	defer cancel()
	a.audits.quiet = true
	byName := map[string]inventory.Environment{}
	for _, e := range environments {
		byName[e.Name] = e
	}
	examine := func(ctx context.Context, target fleet.Target) ([]proto.Check, error) {
		return a.examine(ctx, byName[target.Environment], target), nil
	}
	var bad []string
	fleet.Each(ctx, fleet.DefaultLimit, targets(environments), examine, func(r fleet.Result[[]proto.Check]) {
		for _, check := range r.Value {
			check.Fix = a.sameHosts(check.Fix)
			if !check.OK {
				bad = append(bad, fmt.Sprintf("%s on %s", check.Name, r.Target.Host))
			}
			a.showCheck(event.Event{Kind: event.Check, Environment: r.Target.Environment, Host: r.Target.Host, Check: &check})
		}
	})
	if len(bad) > 0 {
		return &exit.Error{Code: exit.Failed, Message: failedChecks(bad), Next: a.again()}
	}
	return nil
}

// failedChecks names the first few: what fails on a thousand hosts, or has the name that a liar gives it, would
// hide the next command.
func failedChecks(bad []string) string {
	const shown, longest = 3, 120
	if len(bad) == 1 {
		return "a check failed: " + printable.Excerpt(bad[0], longest) + "; the fix stands below it"
	}
	var names []string
	for _, name := range bad[:min(shown, len(bad))] {
		names = append(names, printable.Excerpt(name, longest))
	}
	said := fmt.Sprintf("%d checks failed: %s", len(bad), strings.Join(names, ", "))
	if more := len(bad) - shown; more > 0 {
		said += fmt.Sprintf(" and %d more", more)
	}
	return said + "; the fix stands below each of them"
}

// showCheck shows the checks of a host as soon as it has answered: a dead one keeps nobody waiting for the others.
func (a *app) showCheck(e event.Event) {
	if a.flags.json {
		a.emit(e)
		return
	}
	a.print(view.CheckLine(e, a.look()))
}

// examine goes from this machine to the host, and stops where the way ends.
func (a *app) examine(ctx context.Context, environment inventory.Environment, target fleet.Target) []proto.Check {
	var checks []proto.Check
	if a.Dial == nil {
		resolved, err := a.sshOf().resolve(ctx, target.Host)
		checks = append(checks, check("ssh configuration", resolved, err))
		if err != nil {
			return checks
		}
	}
	noise := a.listen(target.Host)
	agent, err := a.fleet().Dial(ctx, target)
	checks = append(checks, check("ssh login", "host key known, key accepted"+road(agent), err))
	if err != nil {
		return checks
	}
	defer func() { _ = agent.Close() }() // everything is read
	hello, err := agent.Hello(ctx)
	checks = append(checks, check("rp-agent", fmt.Sprintf("version %s, protocol %d to %d", hello.Agent, hello.Protocol.Min, hello.Protocol.Max), err))
	if err != nil {
		return checks
	}
	checks = append(checks,
		quiet(target.Host, noise()),
		check("configuration", "agent.toml is what hosts.toml says", deploy.Fits(environment, target.Host, hello)),
		a.auditCheck(target, hello),
	)
	if environment.Console != nil && target.Host == environment.ConsoleHost {
		checks = append(checks,
			check("pinned receipt key", "it is the one that trusted_hosts has", receiptKeyFits(environment, hello)),
			check("accepted keys", "approvers and trusted hosts are the repository's", a.acceptedKeys(environment, hello)),
		)
	}
	var report proto.DoctorReport
	if err := agent.Call(ctx, proto.OpDoctor, nil, &report, nil); err != nil {
		return append(checks, check("host", "", err))
	}
	config := environment.HostConfig(target.Host)
	place := exit.Place{
		Host: target.Host, Environment: target.Environment, Workers: config.Workers, Groups: slices.Concat(config.Look, config.Act),
	}
	for _, found := range report.Checks {
		found.Fix, found.HostSuggests = place.Follow(found.Advice, found.HostSuggests)
		found.Advice = proto.Advice{}
		checks = append(checks, found)
	}
	return checks
}

// road says which way the host was reached, where the connection knows it.
func road(agent fleet.Agent) string {
	if over, ok := agent.(interface{ Via() string }); ok {
		return ", " + over.Via()
	}
	return ""
}

// check is one assumption of this side.
func check(name, detail string, err error) proto.Check {
	if err == nil {
		return proto.Check{Name: proto.HostText(name), OK: true, Detail: proto.HostText(detail)}
	}
	failure := exit.From(err)
	return proto.Check{Name: proto.HostText(name), Detail: proto.HostText(failure.Message), Fix: failure.Next, HostSuggests: failure.HostSuggests}
}

// quiet is the check of the login shell; its fix shows what that prints.
func quiet(host string, said []string) proto.Check {
	if len(said) == 0 {
		return proto.Check{Name: "login shell", OK: true, Detail: "quiet"}
	}
	return proto.Check{
		Name: "login shell", Fix: "ssh " + host + " true",
		Detail: proto.HostText("it prints before the protocol starts: " + strings.Join(said, " / ") + "; let the login user's .bashrc print nothing where there is no terminal"),
	}
}

// listeners keep what hosts say beside the protocol.
type listeners struct {
	mu   sync.Mutex
	said map[string][]string
}

// listen keeps the warnings of a host from here on, instead of showing them.
func (a *app) listen(host string) func() []string {
	a.heard.mu.Lock()
	defer a.heard.mu.Unlock()
	if a.heard.said == nil {
		a.heard.said = map[string][]string{}
	}
	a.heard.said[host] = []string{}
	return func() []string {
		a.heard.mu.Lock()
		defer a.heard.mu.Unlock()
		return slices.Clone(a.heard.said[host])
	}
}

// warn shows what a host said beside the protocol, or keeps it for doctor.
func (a *app) warn(host, text string) {
	a.heard.mu.Lock()
	said, kept := a.heard.said[host]
	if kept {
		a.heard.said[host] = append(said, text)
	}
	a.heard.mu.Unlock()
	if !kept {
		a.emit(event.Event{Kind: event.Warning, Host: host, Text: text})
	}
}
