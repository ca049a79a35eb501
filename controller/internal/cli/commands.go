package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/deploy"
	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/controller/internal/local"
	"github.com/re-connect/rpctl/internal/printable"
)

// vouch makes sure, before any host is reached, that what an operation runs on this machine was reviewed, and asks
// for a yes to commands that are new here. With world.Settled what runs is what was asked about.
func (a *app) vouch(ctx context.Context, world *deploy.World, options deploy.Options, reason string, rollback bool) error {
	environment := options.Environment
	r, err := a.reviewedBranch(ctx, environment, false)
	if err == nil && (rollback || options.DryRun) {
		err = r.same(ctx, environment)
	}
	if errors.Is(err, local.ErrNotCompared) {
		err = nil // no branch brought it: it is the operator's own file
	}
	tree := a.gitTree(treeRoot(a.Dir))
	if err == nil && rollback && inTree(tree.Dir) {
		var team []string
		if team, err = a.teamBranches(ctx, r); err == nil {
			err = tree.OnRemote(ctx, environment.Branch, team...)
		}
	}
	if err := a.unlessUnreviewed(err, reason, options.DryRun); err != nil || options.DryRun {
		return err
	}
	remember, err := a.agreeToCommands(ctx, environment)
	if err != nil {
		return err
	}
	world.Settled = func(ctx context.Context) error {
		if !rollback {
			if err := a.unlessUnreviewed(tree.OnRemote(ctx, environment.Branch), reason, false); err != nil {
				return err
			}
		}
		if err := a.unchanged(environment); err != nil {
			return err
		}
		remember()
		return nil
	}
	return nil
}

// teamBranches are those that some environment is deployed from, and the remote's default branch. A rollback may run
// the Makefile of each: after a deploy to one environment its branch is checked out while another is rolled back. r is
// nil where hosts.toml is the operator's own file.
func (a *app) teamBranches(ctx context.Context, r *reviewed) ([]string, error) {
	if r != nil {
		return r.branches(ctx)
	}
	own, err := a.inventory()
	if err != nil {
		return nil, err
	}
	return branchesOf(own), nil
}

// unchanged reads hosts.toml again and refuses another one than was begun with.
func (a *app) unchanged(begun inventory.Environment) error {
	now, err := a.environment(begun.Name)
	if err != nil {
		return err
	}
	keys := inventory.Differences(begun, now)
	if len(keys) == 0 {
		return nil
	}
	var all []string
	for _, key := range keys {
		all = append(all, key.Key+" was "+key.Old+" and is "+key.New)
	}
	return &exit.Error{
		Code: exit.Refused, Next: a.again(),
		Message: fmt.Sprintf("hosts.toml is another one on branch %s: %s; none of its commands was run", begun.Branch, strings.Join(all, "; ")),
	}
}

// commands are what hosts.toml makes this machine run for an environment.
type commands struct {
	Path        string     `json:"path"`
	Environment string     `json:"environment"`
	Prepare     [][]string `json:"prepare"`
	Deploy      []string   `json:"deploy"`
	Rollback    []string   `json:"rollback"`
}

// agreeToCommands shows commands that have not run here before and asks for a yes. remember is to be called before
// they run; the next time they are not asked about. No question is asked without a terminal and where $CI is set. --yes
// is no answer: it is typed by habit.
func (a *app) agreeToCommands(ctx context.Context, environment inventory.Environment) (remember func(), err error) {
	nothing := func() {}
	if !a.Asks || a.Getenv("CI") != "" {
		return nothing, nil
	}
	read, err := a.inventory()
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(read.Path)
	if err != nil {
		return nil, err
	}
	now := commands{Path: path, Environment: environment.Name, Prepare: environment.Prepare, Deploy: environment.Deploy, Rollback: environment.Rollback}
	memory := local.Memory{Folder: a.stateFolder("commands")}
	var before commands
	known := memory.Recall(now.key(), &before)
	if known && before.text() == now.text() {
		return nothing, nil
	}
	question := fmt.Sprintf("%s of %s runs on this machine:\n%s", environment.Name, safe(path), now.text())
	if known {
		question = fmt.Sprintf("What %s of %s runs on this machine has changed. It was:\n%sIt is:\n%s", environment.Name, safe(path), before.text(), now.text())
	}
	answer, err := a.confirm(ctx, question+`Type "yes" to go on: `)
	if ctx.Err() != nil {
		return nil, &exit.Error{Code: exit.Interrupted, Message: "interrupted: nothing was changed", Err: ctx.Err()}
	}
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(answer) != "yes" {
		return nil, &exit.Error{Code: exit.Refused, Message: "the commands of hosts.toml were not confirmed: nothing was changed", Next: a.again()}
	}
	return func() {
		if err := memory.Keep(now.key(), now); err != nil {
			a.emit(event.Event{Kind: event.Warning, Text: "the commands will be asked about again: " + safe(err.Error())})
		}
	}, nil
}

func (c commands) key() string { return c.Path + "\x00" + c.Environment }

// text is the commands as they would be typed, one a line, whole: what is cut off could be what matters.
func (c commands) text() string {
	var out strings.Builder
	line := func(name string, argv []string) {
		var words []string
		for _, word := range argv {
			words = append(words, printable.Line(exit.Word(word)))
		}
		fmt.Fprintf(&out, "  %-8s  %s\n", name, strings.Join(words, " "))
	}
	for _, argv := range c.Prepare {
		line("prepare", argv)
	}
	line("deploy", c.Deploy)
	if len(c.Rollback) > 0 {
		line("rollback", c.Rollback)
	}
	return out.String()
}

// stateFolder is a folder below $XDG_STATE_HOME (https://specifications.freedesktop.org/basedir-spec); "" where there is none.
func (a *app) stateFolder(name string) string {
	if base := a.Getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "rpctl", name)
	}
	if home := a.Getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "rpctl", name)
	}
	return ""
}
