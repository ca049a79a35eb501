package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/stricttoml"
)

// root is the command line. Nothing is read or connected to before a verb runs.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rpctl",
		Short: "Deploy Reconnect Pro, migrate people's files, and prove what was done",
		Long: "Deploy Reconnect Pro, restart its workers, migrate people's files, and prove what was done.\n\n" +
			"Hosts come from hosts.toml: --hosts, $RPCTL_HOSTS, the folders upwards from here, ~/.config/rpctl.",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs, RunE: a.needsVerb,
	}
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.flags.timeout <= 0 {
			return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("bad --timeout %s: want more than 0, like 10s", a.flags.timeout)}
		}
		return nil
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(a.badFlag)
	all := root.PersistentFlags()
	all.StringVar(&a.flags.hosts, "hosts", "", "hosts.toml to use")
	all.StringVar(&a.flags.sshConfig, "ssh-config", "", "read this instead of ~/.ssh/config, like ssh -F (or $RPCTL_SSH_CONFIG)")
	all.BoolVar(&a.flags.json, "json", false, "one JSON object a line (docs/json.md)")
	all.BoolVar(&a.flags.noColor, "no-color", false, "no colours (NO_COLOR does the same)")
	all.DurationVar(&a.flags.timeout, "timeout", 10*time.Second, "give up on a host that cannot be reached for so long (a login may take three times that, rp-agent's first word twice)")
	root.AddCommand(
		a.deployCommand(), a.rollbackCommand(), a.restartCommand(),
		a.statusCommand(), a.logsCommand(), a.historyCommand(), a.doctorCommand(),
		a.planCommand(), a.migrateCommand(), a.jobsCommand(), a.attachCommand(), a.cancelCommand(),
		a.agentCommand(), a.versionCommand(),
	)
	a.strictHelp(root)
	return root
}

// strictHelp has cobra's own commands refuse a word that they do not know, instead of ending well.
func (a *app) strictHelp(root *cobra.Command) {
	root.SetHelpCommand(&cobra.Command{
		Use: "help [COMMAND]", Short: "Help about any command", Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			of, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return a.unknownCommand(of, append(rest, args...)[0])
			}
			return of.Help()
		},
	})
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Args, cmd.RunE = cobra.ArbitraryArgs, a.needsVerb
		}
	}
}

// noArgs refuses words that a command does not take.
func (a *app) noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if plan := cmd.Flags().Lookup("plan"); plan != nil && !plan.Changed {
		return &exit.Error{
			Code: exit.BadInput, Message: fmt.Sprintf("%s takes no argument, got %q: the plan is given with --plan", cmd.CommandPath(), args[0]),
			Next: a.instead(args[0], "--plan="+args[0]),
		}
	}
	next := cmd.CommandPath() + " --help"
	if env := cmd.Flags().Lookup("env"); env != nil && !env.Changed {
		next = cmd.CommandPath() + " --env " + args[0]
	}
	return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("%s takes no argument, got %q", cmd.CommandPath(), args[0]), Next: next}
}

// needsVerb is what a group of commands does by itself: help, or refuse a word that is none of its verbs.
func (a *app) needsVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	err := a.unknownCommand(cmd, args[0])
	for _, meant := range cmd.SuggestionsFor(args[0]) {
		if sub, _, _ := cmd.Find([]string{meant}); sub != cmd && len(args) == 1 && sub.ValidateArgs(nil) != nil {
			return withNext(err, exit.From(sub.ValidateArgs(nil)).Next) // with the word that it cannot do without
		}
	}
	return err
}

func withNext(err error, next string) error {
	failure := *exit.From(err)
	failure.Next = next
	return &failure
}

func (a *app) unknownCommand(cmd *cobra.Command, word string) error {
	next := cmd.CommandPath() + " --help"
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		next = a.instead(word, near[0])
	}
	return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("unknown command %q", word), Next: next}
}

// badFlag is what is wrong with a flag, with the flag that may have been meant.
func (a *app) badFlag(cmd *cobra.Command, err error) error {
	if unknown := a.mistyped(cmd); unknown != nil {
		return unknown
	}
	failure := &exit.Error{Code: exit.BadInput, Message: err.Error(), Next: cmd.CommandPath() + " --help", Err: err}
	if errors.Is(err, errTwice) {
		failure.Message = errTwice.Error()
		return failure
	}
	var value *pflag.InvalidValueError
	if errors.As(err, &value) {
		failure.Message = badValue(value)
	}
	if _, name, found := strings.Cut(err.Error(), "unknown flag: --"); found {
		if near := nearestFlag(cmd, name); near != "" {
			failure.Message += ": did you mean --" + near + "?"
			failure.Next = a.instead("--"+name, "--"+near)
		}
	}
	return failure
}

// badValue says what a flag wants, in no words of the Go library.
func badValue(err *pflag.InvalidValueError) string {
	flag := err.GetFlag()
	want := map[string]string{
		"duration": "a time with its unit, like 10s or 2m", "int": "a whole number", "bool": "true or false",
	}[flag.Value.Type()]
	if want == "" {
		return err.Error()
	}
	return fmt.Sprintf("bad --%s %q: want %s", flag.Name, err.GetValue(), want)
}

func nearestFlag(cmd *cobra.Command, name string) string {
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	near, _ := stricttoml.Closest(name, known)
	return near
}

// envFlag adds --env, with completion from hosts.toml.
func (a *app) envFlag(cmd *cobra.Command, into *string, usage string) {
	cmd.Flags().VarP((*once)(into), "env", "e", usage)
	complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		read, err := a.inventory()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return read.Names(), cobra.ShellCompDirectiveNoFileComp
	}
	if err := cmd.RegisterFlagCompletionFunc("env", complete); err != nil {
		panic(err) // the flag was added two lines above
	}
}
