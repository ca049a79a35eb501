package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/install"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/controller/internal/upload"
	"github.com/re-connect/rpctl/proto"
)

// agentCommand is the group of verbs that put rp-agent on hosts or take it away.
func (a *app) agentCommand() *cobra.Command {
	group := &cobra.Command{
		Use: "agent", Short: "Install, compare, upgrade or remove rp-agent on hosts",
		Args: cobra.ArbitraryArgs, RunE: a.needsVerb,
	}
	group.AddCommand(
		a.agentVerb("install", "Put rp-agent on an environment's hosts, as hosts.toml says", (*installation).install),
		a.agentVerb("upgrade", "Bring rp-agent and its files on the hosts to this rpctl's version", (*installation).install),
		a.agentVerb("diff", "Show what an install would change; exit 1 when there is something", (*installation).diff),
		a.agentVerb("pin", "Pin the receipt key of an environment's console host in trusted_hosts, beside hosts.toml", (*installation).pin),
		a.agentVerb("uninstall", "Remove rp-agent from the hosts; state and audit stay", (*installation).uninstall),
	)
	return group
}

// installation is what was typed, and what it works with.
type installation struct {
	app                   *app
	env, login, binary    string
	forcedKey, forcedUser string
	dryRun, yes           bool
	unreviewed            string

	allowLoosening, allowDowngrade bool

	application        string // the application's user
	releasers          string // file of the keys that sign an rp-agent
	spec               proto.SetupSpec
	signers            *proto.SetupSigners // of the console host
	pinned             inventory.TrustedHosts
	removing, compares bool
	pins               bool
}

// agentVerb is one verb of the group; all of them visit host after host.
func (a *app) agentVerb(name, short string, visit func(*installation, context.Context, *install.Visit, string) error) *cobra.Command {
	i := &installation{app: a, removing: name == "uninstall", compares: name == "diff", pins: name == "pin"}
	cmd := &cobra.Command{
		Use: name + " --env ENVIRONMENT", Short: short, Args: a.noArgs,
		Long: short + ".\n\nIt needs an admin login: root, or a user with sudo (--login; the alias's own user otherwise), but never the application's user.",
		RunE: func(cmd *cobra.Command, _ []string) error { return i.run(cmd.Context(), visit) },
	}
	a.envFlag(cmd, &i.env, "environment of hosts.toml")
	flags := cmd.Flags()
	flags.StringVar(&i.login, "login", "", "log in as this user instead of the alias's own")
	flags.StringVar(&i.binary, "binary", "", "rp-agent to bring there (the one beside rpctl otherwise)")
	if name == "install" || name == "upgrade" {
		flags.StringVar(&i.forcedKey, "forced-key", "", "file of a public key that shall be able to use the agent and nothing else")
		flags.StringVar(&i.forcedUser, "forced-user", "", "login user whose authorized_keys gets that key")
		flags.BoolVar(&i.allowLoosening, allowLoosening, false, "with --yes: change a host also where that loosens its rules")
		flags.BoolVar(&i.allowDowngrade, allowDowngrade, false, "with --yes: put an older rp-agent in the place of a newer one, too")
	}
	if name != "diff" {
		flags.BoolVar(&i.dryRun, "dry-run", false, "show what would change, change nothing")
		flags.BoolVarP(&i.yes, "yes", "y", false, "do not ask before a change")
		unreviewedFlag(cmd, &i.unreviewed)
	}
	return cmd
}

// run visits the environment's hosts one after the other, and stops at the first that fails.
func (i *installation) run(ctx context.Context, visit func(*installation, context.Context, *install.Visit, string) error) error {
	i.app.changes(!i.dryRun && !i.compares)
	environment, err := i.app.environment(i.env)
	if err != nil {
		return err
	}
	i.application, i.releasers = environment.Application.User, environment.Releasers()
	files := environment.Files()
	if i.pins { // writes one of the others, for a review
		files = []string{i.releasers}
	}
	if err := i.app.mayInstall(ctx, environment, files, i.unreviewed, i.dryRun || i.compares); err != nil {
		return err
	}
	if err := i.applicationOperates(environment); err != nil {
		return err
	}
	if err := i.prepare(ctx, environment); err != nil {
		return err
	}
	hosts := environment.Hosts
	if i.pins {
		hosts = []string{environment.ConsoleHost}
	}
	for done, host := range hosts {
		i.spec.Config, i.spec.Signers = environment.HostConfig(host), nil
		if host == environment.ConsoleHost {
			i.spec.Signers = i.signers
		}
		if err := i.visit(ctx, host, visit); err != nil {
			failure := *exit.Place{Host: host, Environment: i.env}.From(err)
			if errors.Is(err, install.ErrApplicationLogin) {
				failure.Next = i.app.asLogin(i.login, "ADMIN")
			}
			if done > 0 {
				failure.Code = exit.Partial
			}
			return &failure
		}
	}
	return nil
}

// applicationOperates refuses the application's user as an operator where another environment comes first, and warns
// elsewhere. hosts.toml itself was checked when it was read.
func (i *installation) applicationOperates(environment inventory.Environment) error {
	user := environment.Application.User
	switch {
	case environment.After != "" && i.forcedUser == user:
		return &exit.Error{Code: exit.BadInput, Message: "--forced-user cannot be the application's user " + user +
			" where " + environment.After + " comes first: PHP runs as that user; name a login of a person", Next: "rpctl agent install --help"}
	case !i.removing && (environment.ApplicationOperates() || i.forcedUser == user):
		i.app.emit(event.Event{Kind: event.Warning, Environment: i.env, Text: "the application's user " + user +
			" is an operator: PHP runs as that user, and may then hold the lease and restart workers; name logins of people instead"})
	}
	return nil
}

// asLogin is the command that was typed with another login.
func (a *app) asLogin(typed, login string) string {
	if typed == "" {
		return a.again("--login", login)
	}
	return a.instead(typed, login)
}

// prepare makes the spec, so that bad input is told before any host is reached.
func (i *installation) prepare(ctx context.Context, environment inventory.Environment) (err error) {
	if i.removing {
		return nil
	}
	if i.pins {
		return i.preparePin(environment)
	}
	if i.signers, err = i.app.signers(environment); err != nil {
		return err
	}
	i.spec = proto.SetupSpec{Operators: environment.Operators}
	if (i.forcedKey == "") != (i.forcedUser == "") {
		return &exit.Error{Code: exit.BadInput, Message: "--forced-key and --forced-user go together"}
	}
	if i.forcedKey == "" {
		return nil
	}
	data, err := os.ReadFile(i.forcedKey)
	if err != nil {
		return &exit.Error{Code: exit.BadInput, Message: "cannot read the public key: " + err.Error(), Err: err}
	}
	i.spec.ForcedKey = &proto.ForcedKey{User: i.forcedUser, PublicKey: strings.TrimSpace(string(data))}
	return nil
}

func (i *installation) visit(ctx context.Context, host string, do func(*installation, context.Context, *install.Visit, string) error) (err error) {
	conn, err := i.app.sshOf().dialer.DialAs(ctx, i.login, host)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	rpctl, err := os.Executable()
	if err != nil {
		return err
	}
	remote := install.Host{Name: host, Host: upload.Remote{Conn: conn}, Login: conn.User(), Application: i.application}
	if i.app.Secret != nil {
		remote.Password = func(ctx context.Context) ([]byte, error) {
			return i.app.askSecret(ctx, "password for sudo on "+safe(host)+": ")
		}
	}
	v, err := install.Begin(ctx, remote, install.Binaries{Named: i.binary, Rpctl: rpctl, Releasers: i.releasers})
	if err != nil {
		return err
	}
	defer func() {
		if left := v.Close(); err == nil {
			err = left
		}
	}()
	i.vouch(host, v.Binary)
	return do(i, ctx, v, host)
}

func (i *installation) install(ctx context.Context, v *install.Visit, host string) error {
	report, err := v.Compare(ctx, i.spec)
	if err != nil {
		return err
	}
	if agreed, err := i.agreed(ctx, host, report); err != nil || !agreed {
		return err
	}
	report, err = v.Apply(ctx, i.spec)
	if err == nil {
		i.show(host, report)
	}
	return err
}

func (i *installation) uninstall(ctx context.Context, v *install.Visit, host string) error {
	report, err := v.Uninstall(ctx, true)
	if err != nil {
		return err
	}
	if agreed, err := i.agreed(ctx, host, report); err != nil || !agreed {
		return err
	}
	report, err = v.Uninstall(ctx, false)
	if err == nil {
		i.show(host, report)
	}
	return err
}

func (i *installation) diff(ctx context.Context, v *install.Visit, host string) error {
	report, err := v.Compare(ctx, i.spec)
	if err != nil {
		return err
	}
	i.show(host, report)
	if len(report.Changes) > 0 {
		message := fmt.Sprintf("%d things differ from hosts.toml", len(report.Changes))
		if effects := effectsOf(report); effects.any() {
			message += "; an upgrade " + effects.String()
		}
		return &exit.Error{Code: exit.Failed, Host: host, Message: message,
			Next: i.verb("upgrade")}
	}
	return nil
}

// verb is another verb of the group for the same environment, with the login and the binary that were typed.
func (i *installation) verb(name string) string {
	words := []string{"agent", name, "--env", i.env}
	if i.login != "" {
		words = append(words, "--login", i.login)
	}
	if i.binary != "" {
		words = append(words, "--binary", i.binary)
	}
	return exit.Command(words...)
}
