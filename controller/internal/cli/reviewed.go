package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/controller/internal/local"
	"github.com/re-connect/rpctl/internal/printable"
)

// unreviewedFlag adds the flag that passes the comparison with the remote.
func unreviewedFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "unreviewed", "", "go on with files that are not those of the remote's branch, for this reason")
}

// gitTree runs git in a folder, with the operator at hand.
func (a *app) gitTree(dir string) local.Tree {
	return local.Tree{Dir: dir, Stdin: a.Stdin, Output: output{a, "stderr"}, Hurry: a.hurry}
}

// unlessUnreviewed passes a refusal on, unless there is a reason to go on or nothing is changed: then it is a warning.
func (a *app) unlessUnreviewed(err error, reason string, dryRun bool) error {
	if err == nil || exit.From(err).Code == exit.Interrupted {
		return err
	}
	failure := *exit.From(err)
	switch {
	case reason != "":
		a.emit(event.Event{Kind: event.Warning, Text: failure.Message + "; --unreviewed: " + printable.Excerpt(reason, 200), Next: failure.Next})
		return nil
	case dryRun:
		a.emit(event.Event{Kind: event.Warning, Text: failure.Message, Next: failure.Next})
		return nil
	}
	failure.Message += `; --unreviewed "reason" goes on in spite of it`
	return &failure
}

// reviewed is hosts.toml as the team's remote has it. A branch that is checked out decides nothing: the remote's
// default branch says which branch an environment is deployed from, and that branch says the rest.
type reviewed struct {
	at     *local.Committed
	path   string
	branch string // of the environment, as the default branch has it
}

// reviewedBranch finds the branch that an environment is deployed from, and refuses a hosts.toml that names another.
func (a *app) reviewedBranch(ctx context.Context, environment inventory.Environment, fetch bool) (*reviewed, error) {
	read, err := a.inventory()
	if err != nil {
		return nil, err
	}
	at, err := a.gitTree(a.Dir).Committed(ctx, read.Path, fetch)
	if err != nil {
		return nil, err
	}
	r := &reviewed{at: at, path: read.Path}
	theirs, err := r.environment(ctx, at.Main, environment.Name)
	if errors.Is(err, fs.ErrNotExist) && !at.Tracked(ctx) {
		return nil, fmt.Errorf("git does not track %s, which %w", safe(read.Path), local.ErrNotCompared)
	}
	if err != nil {
		return nil, r.refused(err, at.Main)
	}
	if r.branch = theirs.Branch; r.branch != environment.Branch {
		return nil, r.differs(at.Main, []inventory.Difference{{Key: "branch", Old: theirs.Branch, New: environment.Branch}})
	}
	return r, nil
}

// environment is what the remote's branch says of one.
func (r *reviewed) environment(ctx context.Context, branch, name string) (inventory.Environment, error) {
	data, err := r.at.At(ctx, branch)
	if err != nil {
		return inventory.Environment{}, err
	}
	theirs, err := inventory.Parse(r.path, data)
	if err != nil {
		return inventory.Environment{}, err
	}
	return theirs.Environment(name)
}

// branches are the default branch, and those that environments are deployed from as the default branch says.
func (r *reviewed) branches(ctx context.Context) ([]string, error) {
	data, err := r.at.At(ctx, r.at.Main)
	if err != nil {
		return nil, r.refused(err, r.at.Main)
	}
	theirs, err := inventory.Parse(r.path, data)
	if err != nil {
		return nil, r.refused(err, r.at.Main)
	}
	return append(branchesOf(theirs), r.at.Main), nil
}

func branchesOf(of *inventory.Inventory) []string {
	var branches []string
	for _, environment := range of.Environments {
		branches = append(branches, environment.Branch)
	}
	return branches
}

// same refuses an environment that is not what its branch on the remote says.
func (r *reviewed) same(ctx context.Context, environment inventory.Environment) error {
	theirs, err := r.environment(ctx, r.branch, environment.Name)
	if err != nil {
		return r.refused(err, r.branch)
	}
	return r.differs(r.branch, inventory.Differences(theirs, environment))
}

// sameFile refuses a file that hosts.toml names and that the remote's branch does not have as it is here.
func (r *reviewed) sameFile(ctx context.Context, path string) error {
	at, err := r.at.Beside(path)
	if err != nil {
		return err
	}
	ours, err := os.ReadFile(path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return &exit.Error{Code: exit.BadInput, Err: err, Message: "cannot use a file of hosts.toml: " + safe(err.Error()), Next: "ls -l " + exit.Word(path)}
	}
	theirs, err := at.At(ctx, r.branch)
	if missing && errors.Is(err, fs.ErrNotExist) {
		return nil // what needs it says so
	}
	if err != nil {
		return r.refused(err, r.branch)
	}
	if missing || !bytes.Equal(ours, theirs) {
		return &exit.Error{
			Code: exit.Refused, Next: at.Compare(r.branch),
			Message: fmt.Sprintf("%s is not what %s/%s has", safe(path), r.at.Remote, r.branch),
		}
	}
	return nil
}

func (r *reviewed) refused(err error, branch string) error {
	if exit.From(err).Code == exit.Interrupted {
		return err
	}
	next := r.at.Compare(branch)
	if known := (*exit.Error)(nil); errors.As(err, &known) && known.Next != "" {
		next = known.Next
	}
	return &exit.Error{
		Code: exit.Refused, Err: err, Next: next,
		Message: fmt.Sprintf("cannot compare hosts.toml with %s/%s: %s", r.at.Remote, branch, safe(err.Error())),
	}
}

func (r *reviewed) differs(branch string, keys []inventory.Difference) error {
	if len(keys) == 0 {
		return nil
	}
	return &exit.Error{
		Code: exit.Refused, Next: r.at.Compare(branch),
		Message: fmt.Sprintf("%s is not what %s/%s has: %s", safe(r.path), r.at.Remote, branch, keysOf(keys)),
	}
}

func keysOf(keys []inventory.Difference) string {
	var all []string
	for _, key := range keys {
		all = append(all, key.String())
	}
	return strings.Join(all, "; ")
}

// mayInstall refuses to bring to hosts, as root, what the remote's branch does not say. Files that cannot be compared
// are used when the operator says so.
func (a *app) mayInstall(ctx context.Context, environment inventory.Environment, files []string, reason string, dryRun bool) error {
	err := a.asReviewed(ctx, environment, files)
	if errors.Is(err, local.ErrNotCompared) && reason == "" && !dryRun {
		return a.useAsItIs(ctx, err)
	}
	return a.unlessUnreviewed(err, reason, dryRun)
}

func (a *app) asReviewed(ctx context.Context, environment inventory.Environment, files []string) error {
	r, err := a.reviewedBranch(ctx, environment, true)
	if err != nil {
		return err
	}
	if err := r.same(ctx, environment); err != nil {
		return err
	}
	for _, path := range files {
		if err := r.sameFile(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// useAsItIs asks for a yes to files that cannot be compared.
func (a *app) useAsItIs(ctx context.Context, why error) error {
	// The reason is left to type: no shell takes <reason> for a word, so the line cannot be pasted as it is.
	next := strings.Replace(a.again("--unreviewed", "<reason>"), exit.Word("<reason>"), "<reason>", 1)
	refusal := &exit.Error{Code: exit.Refused, Err: why, Message: why.Error(), Next: next}
	if !a.Asks {
		refusal.Message += `; --unreviewed "reason" uses it as it is`
		return refusal
	}
	answer, err := a.confirm(ctx, safe(why.Error())+".\nType \"yes\" to use it as it is: ")
	if err != nil {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		refusal.Message += "; not confirmed, nothing was changed"
		return refusal
	}
	return nil
}
