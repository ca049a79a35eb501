package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
)

// Tree is the developer's work tree, where the deploy command runs.
type Tree struct {
	Dir    string    // any folder of it; "" is the current one
	Stdin  io.Reader // for git's questions; nil is none
	Output io.Writer // gets git's progress; nil discards it
	Hurry  *Hurry    // see Options
}

// State is a work tree that may be deployed from, as it is now.
type State struct {
	Root     string // absolute
	Branch   string // that is checked out
	Revision string // full commit id of HEAD
	// Upstream, Ahead and Behind are about the branch that was asked for, as of the last fetch;
	// Upstream is "" when that branch follows none, or one that is gone, or is not here yet.
	Upstream      string
	Ahead, Behind int
}

// Check looks whether branch may be deployed from this work tree, and changes
// nothing, nor asks any remote. It refuses modified files that git tracks
// (others do not matter to a deploy), a merge or rebase that is not finished, a
// detached HEAD and an unknown branch. Being on another branch is no fault:
// Update checks it out. Errors are *exit.Error of code Refused or LocalFailed.
func (t *Tree) Check(ctx context.Context, branch string) (State, error) {
	var state State
	var err error
	if state.Root, err = t.root(ctx); err != nil {
		return State{}, err
	}
	for _, check := range []func(context.Context) error{t.checkNothingUnfinished, t.checkClean, t.checkNothingHidden} {
		if err := check(ctx); err != nil {
			return State{}, err
		}
	}
	if state.Branch, err = t.git(ctx, "symbolic-ref", "--quiet", "--short", "HEAD"); err != nil {
		return State{}, t.detached(err, branch)
	}
	if err := t.checkKnown(ctx, branch); err != nil {
		return State{}, err
	}
	if state.Revision, err = t.Revision(ctx); err != nil {
		return State{}, err
	}
	follows, err := t.following(ctx, branch)
	if err != nil {
		return State{}, err
	}
	if !follows.gone {
		state.Upstream, state.Ahead, state.Behind = follows.upstream, follows.ahead, follows.behind
	}
	return state, nil
}

// Revision is the full commit id of HEAD.
func (t *Tree) Revision(ctx context.Context) (string, error) {
	revision, err := t.git(ctx, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
	if err != nil {
		return "", failed(exit.LocalFailed, "cannot read the revision of the work tree", err, "git log -1")
	}
	return revision, nil
}

func (t *Tree) root(ctx context.Context) (string, error) {
	root, err := t.git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		where, next := "; go to the project's work tree", "git status"
		if strings.Contains(err.Error(), "dubious ownership") {
			where, next = "; become the user that owns the work tree, or see safe.directory", "git help config"
		}
		known := exit.From(failed(exit.Refused, "cannot deploy from here", err, next))
		if known.Code != exit.Refused {
			return "", known
		}
		told := *known
		told.Message += where
		return "", &told
	}
	return root, nil
}

// unfinished is what git leaves in its folder while something is not finished, and how to leave it.
var unfinished = []struct{ file, what, next string }{
	{"MERGE_HEAD", "a merge", "git merge --abort"},
	{"rebase-merge", "a rebase", "git rebase --abort"},
	{"rebase-apply", "a rebase", "git rebase --abort"},
	{"CHERRY_PICK_HEAD", "a cherry-pick", "git cherry-pick --abort"},
	{"REVERT_HEAD", "a revert", "git revert --abort"},
	{"BISECT_LOG", "a bisect", "git bisect reset"},
}

func (t *Tree) checkNothingUnfinished(ctx context.Context) error {
	folder, err := t.git(ctx, "rev-parse", "--absolute-git-dir")
	if err != nil {
		return failed(exit.LocalFailed, "cannot look at the work tree", err, "git status")
	}
	for _, state := range unfinished {
		if _, err := os.Lstat(filepath.Join(folder, state.file)); err == nil {
			return &exit.Error{
				Code: exit.Refused, Message: "cannot deploy in the middle of " + state.what + ": finish it, or leave it",
				Next: state.next,
			}
		}
	}
	return nil
}

// deployFile is what step 4 of the runbook had people edit, and step 6 restore.
const deployFile = "deploy.php"

func deployFileEdited(how, next string) error {
	return &exit.Error{
		Code: exit.Refused, Next: next,
		Message: deployFile + " " + how + ": nobody edits it any more, each environment's workers stand in hosts.toml",
	}
}

func (t *Tree) checkClean(ctx context.Context) error {
	out, err := t.git(ctx, "status", "--porcelain=v1", "-z", "--untracked-files=no")
	if err != nil {
		return failed(exit.LocalFailed, "cannot look at the work tree", err, "git status")
	}
	names := changed(out)
	switch {
	case len(names) == 0:
		return nil
	case slices.Contains(names, deployFile):
		return deployFileEdited("is modified", "git checkout HEAD -- "+deployFile)
	default:
		return &exit.Error{
			Code: exit.Refused, Message: "the work tree has changes that are not committed: " + some(names) + "; commit them, or put them aside",
			Next: "git stash",
		}
	}
}

// checkNothingHidden refuses a deploy.php that git was told not to look at: the way to
// keep an edit that never shows.
func (t *Tree) checkNothingHidden(ctx context.Context) error {
	out, err := t.git(ctx, "ls-files", "-v", "--", ":(top)"+deployFile)
	if err != nil {
		return failed(exit.LocalFailed, "cannot look at the work tree", err, "git ls-files -v "+deployFile)
	}
	// git-ls-files(1): lower case is assume-unchanged, S is skip-worktree
	if flag, _, ok := strings.Cut(out, " "); ok && (flag == "S" || flag != strings.ToUpper(flag)) {
		return deployFileEdited("is hidden from git", "git update-index --no-assume-unchanged --no-skip-worktree "+deployFile)
	}
	return nil
}

// changed is the names in `git status --porcelain=v1 -z`: two letters, a space, the name;
// a rename or copy has its old name as an entry of its own behind it.
func changed(status string) []string {
	var names []string
	entries := strings.Split(status, "\x00")
	for i := 0; i < len(entries); i++ {
		if len(entries[i]) < 4 {
			continue
		}
		names = append(names, entries[i][3:])
		if strings.ContainsAny(entries[i][:2], "RC") && i+1 < len(entries) {
			i++
			names = append(names, entries[i])
		}
	}
	return names
}

// some is the first names of a list, fit for one line.
func some(names []string) string {
	const most = 5
	shown := make([]string, 0, most)
	for _, name := range names[:min(most, len(names))] {
		shown = append(shown, printable.Excerpt(name, 80))
	}
	if more := len(names) - len(shown); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(shown, ", "), more)
	}
	return strings.Join(shown, ", ")
}

func (t *Tree) detached(err error, branch string) error {
	var known *exit.Error
	if errors.As(err, &known) && known.Code == exit.Interrupted {
		return known
	}
	return &exit.Error{
		Code: exit.Refused, Err: err, Message: "the work tree is on no branch (detached HEAD)",
		Next: "git switch " + branch,
	}
}

// checkKnown refuses a branch that is neither here nor, as of the last fetch, on a remote.
func (t *Tree) checkKnown(ctx context.Context, branch string) error {
	out, err := t.git(ctx, "for-each-ref", "--format=%(refname)", "refs/heads/"+branch, "refs/remotes/*/"+branch)
	if err != nil {
		return failed(exit.LocalFailed, "cannot look for branch "+branch, err, "git branch --all")
	}
	for ref := range strings.Lines(out) { // a pattern matches what is below it too
		if strings.HasSuffix(strings.TrimSpace(ref), "/"+branch) {
			return nil
		}
	}
	return &exit.Error{
		Code: exit.Refused, Message: fmt.Sprintf("there is no branch %s, here or on a remote that was fetched", branch),
		Next: "git fetch && git branch --all",
	}
}
