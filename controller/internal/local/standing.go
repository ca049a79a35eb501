package local

import (
	"context"
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// Standing says how branch stands to what Update would bring it to, and changes nothing, not even
// what is known of the remote, which is asked. It refuses what Update would refuse; the notes are
// what somebody who is about to deploy should know besides. Errors are those of Update.
func (t *Tree) Standing(ctx context.Context, branch string) (notes []string, err error) {
	if _, err := t.Check(ctx, branch); err != nil {
		return nil, err
	}
	here, err := t.git(ctx, "for-each-ref", "--format=%(refname)", "refs/heads/"+branch)
	if err != nil {
		return nil, failed(exit.LocalFailed, "cannot look for branch "+branch, err, "git branch --all")
	}
	if here == "" {
		return []string{branch + " is not here yet: it would be checked out from its remote"}, nil
	}
	now, err := t.following(ctx, branch)
	if err != nil {
		return nil, err
	}
	if now.upstream == "" {
		return nil, followsNone(branch)
	}
	if err := cannotFollow(branch, now); err != nil {
		return nil, err
	}
	if now.behind > 0 {
		notes = append(notes, fmt.Sprintf("%s is %s behind %s: what it lacks would be pulled, and deployed", branch, commits(now.behind), now.upstream))
	}
	moved, err := t.moved(ctx, branch, now)
	if err != nil {
		return append(notes, fmt.Sprintf("cannot ask %s for news, so this is as of the last fetch: %v", now.remote, err)), ctx.Err()
	}
	if moved {
		notes = append(notes, fmt.Sprintf("%s has moved since the last fetch: what is new there would be pulled, and deployed", now.upstream))
	}
	return notes, nil
}

// moved says that the remote's branch is not where it was at the last fetch.
func (t *Tree) moved(ctx context.Context, branch string, now following) (bool, error) {
	if now.remote == "." || now.remote == "" { // follows a local branch: nothing to ask
		return false, nil
	}
	known, err := t.git(ctx, "rev-parse", "--verify", "--quiet", branch+"@{upstream}")
	if err != nil {
		return false, err
	}
	name := strings.TrimPrefix(now.upstream, now.remote+"/")
	out, err := t.git(ctx, "ls-remote", "--heads", now.remote, "refs/heads/"+name)
	if err != nil {
		return false, err
	}
	there, _, _ := strings.Cut(out, "\t")
	return there != known, nil
}
