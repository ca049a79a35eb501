package local

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// Update does what step 3 of the runbook does by hand (`git checkout dev`, `git pull`): after
// Check it fetches, checks branch out and moves it forward to its upstream. It refuses
// a branch that has commits of its own: Deployer takes the code from the remote, so they would
// not be deployed. Errors are *exit.Error of code Refused or LocalFailed.
func (t *Tree) Update(ctx context.Context, branch string) (State, error) {
	if _, err := t.Check(ctx, branch); err != nil {
		return State{}, err
	}
	if err := t.checkout(ctx, branch); err != nil {
		return State{}, err
	}
	before, err := t.following(ctx, branch)
	if err != nil {
		return State{}, err
	}
	if before.upstream == "" {
		return State{}, followsNone(branch)
	}
	if err := t.fetch(ctx, before.remote); err != nil {
		return State{}, err
	}
	if err := t.forward(ctx, branch); err != nil {
		return State{}, err
	}
	return t.Check(ctx, branch)
}

// checkout goes to branch. The -- says that it is no file.
func (t *Tree) checkout(ctx context.Context, branch string) error {
	if err := t.gitAloud(ctx, "checkout", branch, "--"); err != nil {
		return failed(exit.LocalFailed, "cannot check out "+branch, err, "git checkout "+branch)
	}
	return nil
}

func (t *Tree) fetch(ctx context.Context, remote string) error {
	if remote == "." || remote == "" { // follows a local branch: nothing to fetch
		return nil
	}
	if err := t.gitAloud(ctx, "fetch", remote); err != nil {
		return failed(exit.LocalFailed, "cannot fetch from "+remote, err, "git fetch "+remote)
	}
	return nil
}

// forward moves branch to its upstream, or says why that cannot be.
func (t *Tree) forward(ctx context.Context, branch string) error {
	now, err := t.following(ctx, branch)
	if err != nil {
		return err
	}
	if err := cannotFollow(branch, now); err != nil {
		return err
	}
	if now.behind == 0 {
		return nil
	}
	if err := t.gitAloud(ctx, "merge", "--ff-only", "@{upstream}"); err != nil {
		return failed(exit.LocalFailed, "cannot move "+branch+" forward", err, "git pull --ff-only")
	}
	return nil
}

func followsNone(branch string) error {
	return &exit.Error{
		Code: exit.Refused, Message: fmt.Sprintf("branch %s follows no branch of a remote", branch),
		Next: fmt.Sprintf("git branch --set-upstream-to=origin/%[1]s %[1]s", branch),
	}
}

// cannotFollow refuses a branch that cannot be moved to its upstream, or has more than that.
func cannotFollow(branch string, now following) error {
	switch {
	case now.gone:
		return &exit.Error{
			Code: exit.Refused, Message: fmt.Sprintf("the branch that %s follows is gone from its remote", branch),
			Next: "git branch -vv",
		}
	case now.ahead > 0 && now.behind > 0:
		return &exit.Error{
			Code: exit.Refused,
			Message: fmt.Sprintf("%s and %s have parted: %s here, %s there", branch, now.upstream,
				commits(now.ahead), commits(now.behind)),
			Next: "git pull --rebase",
		}
	case now.ahead > 0:
		return &exit.Error{
			Code: exit.Refused, Next: "git log " + exit.Word(now.upstream+".."+branch), // not push: they may want a review
			Message: fmt.Sprintf("%s has %s that %s has not: what is not pushed is not deployed",
				branch, commits(now.ahead), now.upstream),
		}
	}
	return nil
}

func commits(n int) string {
	if n == 1 {
		return "1 commit"
	}
	return fmt.Sprintf("%d commits", n)
}

// following is how a branch stands to the one that it follows, as of the last fetch.
type following struct {
	upstream      string // as origin/dev; "" when it follows none, or is not here
	remote        string // its remote, or "." when it follows a local branch
	gone          bool   // the remote has it no more
	ahead, behind int    // commits that only the one, or only the other, has
}

func (t *Tree) following(ctx context.Context, branch string) (following, error) {
	out, err := t.git(ctx, "for-each-ref",
		"--format=%(upstream:short)%00%(upstream:remotename)%00%(upstream:track,nobracket)", "refs/heads/"+branch)
	if err != nil {
		return following{}, failed(exit.LocalFailed, "cannot read what "+branch+" follows", err, "git branch -vv")
	}
	return parseFollowing(out), nil
}

// parseFollowing reads "origin/dev", "origin" and "ahead 1, behind 2" (git-for-each-ref(1)), NUL between them.
func parseFollowing(out string) following {
	var f following
	fields := strings.Split(out, "\x00")
	if len(fields) != 3 {
		return f
	}
	f.upstream, f.remote = fields[0], fields[1]
	for _, part := range strings.Split(fields[2], ", ") {
		switch word, number, _ := strings.Cut(part, " "); word {
		case "gone":
			f.gone = true
		case "ahead":
			f.ahead, _ = strconv.Atoi(number)
		case "behind":
			f.behind, _ = strconv.Atoi(number)
		}
	}
	return f
}
