package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/agent/internal/config"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/systemdengine"
	"github.com/re-connect/rpctl/agent/internal/stateform"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// RunJob does a job, or what is left of it, as rp-agent-run@.service does. log takes what went wrong
// and stops nothing.
func RunJob(ctx context.Context, paths Paths, id proto.JobID, log func(error)) error {
	rules, err := config.Load(paths.Config)
	if err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	if err := stateform.Bring(ctx, paths.State); err != nil {
		return err
	}
	engine := &systemdengine.Engine{}
	parts := Migrations(name, rules, paths, engine)
	parts.Log = log
	return errors.Join(parts.Runner().Run(ctx, id), engine.Close())
}

// BecomeConsole turns this process, which is the application's user's, into the console command of a run; dryRun
// says that it may be a dry run only.
// It returns only when the command could not be reached, or may not be run: the agent's own user is believed in
// nothing that a signature decides.
func BecomeConsole(paths Paths, run string, dryRun bool, getenv func(string) string) error {
	owner, err := uidOf(systemd.User)
	if err != nil {
		return err
	}
	rules, err := config.Load(paths.Config)
	if err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	command, err := Migrations(name, rules, paths, nil).Command(console.ID(run), owner, dryRun)
	if err != nil {
		return err
	}
	if err := os.Chdir(command.Dir); err != nil {
		return fmt.Errorf("cannot enter the release: %w", err)
	}
	// An ignored signal stays ignored across exec, and PHP expects to die of it.
	signal.Reset(syscall.SIGPIPE, syscall.SIGINT, syscall.SIGTERM)
	if !command.Spec.DryRun { // past the unit's LimitFSIZE= a write fails, and the command continues
		signal.Ignore(syscall.SIGXFSZ)
	}
	return fmt.Errorf("cannot run %s: %w", command.Argv[0], syscall.Exec(command.Argv[0], command.Argv, console.Environ(getenv)))
}

// ConsoleEnded records how the command of a run ended, from what systemd tells ExecStopPost= (systemd.exec(5)).
func ConsoleEnded(paths Paths, run string, getenv func(string) string) error {
	folders, now := console.FoldersIn(paths.Console), time.Now()
	err := folders.WriteEnd(console.ID(run), console.EndFromEnv(getenv, now))
	_ = folders.PruneOutput(now) // the next command's end tries again, and admission looks at what is there
	return err
}

func uidOf(name string) (uint32, error) {
	account, err := user.Lookup(name)
	if err != nil {
		return 0, fmt.Errorf("cannot look up user %s: %w", name, err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	return uint32(uid), err
}
