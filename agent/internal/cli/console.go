package cli

import (
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/agent/internal/config"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/release"
	"github.com/re-connect/rpctl/systemd"
)

// statusNotRun is an exit status that PHP does not use: the command was never reached (sysexits.h, EX_CONFIG).
const statusNotRun = 78

// newConsoleCommand becomes one console command, as the application's user; rp-agent-console@.service runs this.
func (s System) newConsoleCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "console RUN",
		Short:  "Become one console command of the application; rp-agent-console@.service runs this",
		Hidden: true,
		Args:   oneArgument("a run's id"),
		RunE: func(_ *cobra.Command, args []string) error {
			return &failure{status: statusNotRun, message: s.becomeConsole(console.ID(args[0])).Error()}
		},
	}
}

// becomeConsole returns only when the command could not be reached.
func (s System) becomeConsole(id console.ID) error {
	owner, err := uidOf(systemd.User)
	if err != nil {
		return err
	}
	spec, err := console.FoldersIn(s.Paths.Console).ReadSpec(id, owner)
	if err != nil {
		return err
	}
	rules, err := config.Load(s.Paths.Config)
	if err != nil {
		return err
	}
	if rules.Console == nil {
		return fmt.Errorf("agent.toml has no [console]: this host runs no console commands")
	}
	current, err := release.Layout{Path: rules.Application.Path}.Current()
	if err != nil {
		return err
	}
	if err := os.Chdir(current.Path); err != nil {
		return fmt.Errorf("cannot enter the release: %w", err)
	}
	// An ignored signal stays ignored across exec, and PHP expects to die of it.
	signal.Reset(syscall.SIGPIPE, syscall.SIGINT, syscall.SIGTERM)
	argv := spec.Argv(*rules.Console)
	return fmt.Errorf("cannot run %s: %w", argv[0], syscall.Exec(argv[0], argv, console.Environ(s.Getenv)))
}

func uidOf(name string) (uint32, error) {
	account, err := user.Lookup(name)
	if err != nil {
		return 0, fmt.Errorf("cannot look up user %s: %w", name, err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	return uint32(uid), err
}
