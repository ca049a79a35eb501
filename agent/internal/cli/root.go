package cli

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Run runs one verb and returns the exit status, as failure.go has them.
func Run(s System) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return RunContext(ctx, s)
}

// RunContext is Run where signals are the caller's business: ctx ends the verb.
func RunContext(ctx context.Context, s System) int {
	// One process a connection: the tree of verbs and flags is not worth its time and memory there.
	if len(s.Args) == 1 && s.Args[0] == instanceVerb {
		return s.tell(s.serve(ctx))
	}
	root := s.newRootCommand()
	root.SetArgs(s.Args)
	root.SetIn(s.Stdin)
	root.SetOut(s.Stdout)
	root.SetErr(s.Stderr)
	return s.tell(root.ExecuteContext(ctx))
}

func (s System) newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "rp-agent",
		Short:         "What rpctl asks of this host",
		Long:          "rp-agent answers rpctl on this host: what runs here, from which release, and it restarts the workers.\nNothing of it runs while nobody asks.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          unknownVerb,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(err.Error(), cmd.CommandPath()+" --help")
	})
	root.AddCommand(
		s.newStatusCommand(), s.newDoctorCommand(), s.newAuditCommand(), s.newHistoryCommand("history"), s.newClockResetCommand(),
		s.newRPCCommand(), s.newSSHCommand(), s.newInstanceCommand(), s.newRunCommand(), s.newConsoleCommand(), s.newConsoleEndCommand(), s.newJobsCommand(),
		newSetupCommand(s.Setup), newReceiptKeyCommand(s.Setup), newVersionCommand(),
	)
	return root
}

func unknownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(fmt.Sprintf("unknown command %q", args[0]), cmd.CommandPath()+" --help")
}

// noArguments is cobra.NoArgs in this program's words.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(fmt.Sprintf("%s takes no argument, got %q", cmd.CommandPath(), args[0]), cmd.CommandPath()+" --help")
}

// oneArgument wants exactly one word.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return usage(fmt.Sprintf("%s takes %s", cmd.CommandPath(), what), cmd.CommandPath()+" --help")
	}
}
