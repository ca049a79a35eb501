package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
)

// Committed is where a file stands in a repository, so that it can be read as the remote has it.
type Committed struct {
	Remote string // the team's: "upstream" where there is one, else "origin", else the only one
	Main   string // the remote's default branch
	Root   string // of the work tree, absolute, without links
	tree   Tree
	rel    string
}

// ErrNotCompared is of a file that no remote has another version of.
var ErrNotCompared = errors.New("cannot be compared with what was reviewed")

// Committed finds path in its work tree, which may be another one than t's. With fetch the remote is asked for news.
// The error is ErrNotCompared for a file outside of git or without a remote; otherwise it is an *exit.Error.
func (t Tree) Committed(ctx context.Context, path string, fetch bool) (*Committed, error) {
	root, rel, err := inRepository(path)
	if err != nil {
		return nil, err
	}
	t.Dir = root
	c := &Committed{Root: root, tree: t, rel: rel}
	if c.Remote, err = t.remote(ctx); err != nil {
		return nil, err
	}
	if fetch {
		if err := t.fetch(ctx, c.Remote); err != nil {
			return nil, err
		}
	}
	c.Main, err = t.mainBranch(ctx, c.Remote)
	return c, err
}

// inRepository is a file's work tree and its path there. A link on the way that belongs to the work tree is refused:
// the branch that is checked out decides where it leads.
func inRepository(path string) (root, rel string, err error) {
	var links []string
	real, err := walk(path, func(at string, info fs.FileInfo) error {
		if info.Mode()&fs.ModeSymlink != 0 {
			links = append(links, at)
		}
		return nil
	})
	if err != nil {
		return "", "", &exit.Error{Code: exit.BadInput, Err: err, Message: "cannot look at " + printable.Line(path) + ": " + printable.Line(err.Error())}
	}
	root, found := workTreeOf(filepath.Dir(real))
	if !found {
		return "", "", fmt.Errorf("%s is in no git work tree and %w", printable.Line(path), ErrNotCompared)
	}
	for _, link := range links {
		if strings.HasPrefix(link, root+"/") {
			return "", "", &exit.Error{
				Code: exit.Refused, Next: "ls -l " + exit.Word(link),
				Message: fmt.Sprintf("cannot compare %s with what was reviewed: %s is a link of the work tree", printable.Line(path), printable.Line(link)),
			}
		}
	}
	rel, err = filepath.Rel(root, real)
	return root, rel, err
}

// remote is the remote that counts as the team's. git's own configuration names it, which no branch can change.
func (t *Tree) remote(ctx context.Context) (string, error) {
	out, err := t.git(ctx, "remote")
	if err != nil {
		return "", failed(exit.LocalFailed, "cannot list the remotes", err, "git remote -v")
	}
	names := strings.Fields(out)
	for _, known := range []string{"upstream", "origin"} {
		if slices.Contains(names, known) {
			return known, nil
		}
	}
	if len(names) == 1 {
		return names[0], nil
	}
	return "", fmt.Errorf("the work tree has no remote named origin or upstream, so hosts.toml %w", ErrNotCompared)
}

// mainBranch is the default branch of a remote, as of the clone; the remote is asked where that is not known.
func (t *Tree) mainBranch(ctx context.Context, remote string) (string, error) {
	prefix := "refs/remotes/" + remote + "/"
	if ref, err := t.git(ctx, "symbolic-ref", "--quiet", prefix+"HEAD"); err == nil {
		if branch, ok := strings.CutPrefix(ref, prefix); ok && t.knows(ctx, ref) {
			return branch, nil
		}
	}
	out, err := t.git(ctx, "ls-remote", "--symref", remote, "HEAD")
	if err != nil {
		return "", failed(exit.LocalFailed, "cannot ask "+remote+" for its default branch", err, "git fetch "+exit.Word(remote))
	}
	for line := range strings.Lines(out) { // "ref: refs/heads/main\tHEAD"
		if ref, ok := strings.CutPrefix(line, "ref: refs/heads/"); ok {
			branch, _, _ := strings.Cut(ref, "\t")
			return branch, t.bring(ctx, remote, branch)
		}
	}
	return "", &exit.Error{
		Code: exit.Refused, Message: "cannot learn the default branch of " + remote, Next: "git remote set-head " + exit.Word(remote) + " --auto",
	}
}

// bring fetches one branch that is not here: a clone of a single branch (git clone --depth, CI) has no other.
func (t *Tree) bring(ctx context.Context, remote, branch string) error {
	ref := "refs/remotes/" + remote + "/" + branch
	if t.knows(ctx, ref) {
		return nil
	}
	if err := t.gitAloud(ctx, "fetch", "--no-tags", remote, "+refs/heads/"+branch+":"+ref); err != nil {
		return failed(exit.LocalFailed, "cannot fetch "+branch+" from "+remote, err, "git "+fetchOf(remote, branch))
	}
	return nil
}

func (t *Tree) knows(ctx context.Context, ref string) bool {
	_, err := t.git(ctx, "rev-parse", "--verify", "--quiet", ref+"^{commit}")
	return err == nil
}

// fetchOf is what brings one branch of a remote here. It names the branch: a clone of a single branch (git clone
// --depth, CI) fetches no other.
func fetchOf(remote, branch string) string {
	return "fetch " + exit.Word(remote) + " " + exit.Word("+refs/heads/"+branch+":refs/remotes/"+remote+"/"+branch)
}

// longest is the size of a file that is read from a commit, in bytes; a longer one is cut and so differs.
const longest = 4 << 20

// At is the file as the remote's branch has it, as of the last fetch; fs.ErrNotExist where the branch has none.
func (c *Committed) At(ctx context.Context, branch string) ([]byte, error) {
	ref := "refs/remotes/" + c.Remote + "/" + branch
	if !c.tree.knows(ctx, ref) {
		return nil, &exit.Error{
			Code: exit.Refused, Message: fmt.Sprintf("there is no branch %s/%s here", c.Remote, branch),
			Next: "git -C " + exit.Word(c.Root) + " " + fetchOf(c.Remote, branch),
		}
	}
	blob, err := c.tree.git(ctx, "rev-parse", "--verify", "--quiet", ref+":"+c.rel)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%s is not on %s/%s: %w", c.rel, c.Remote, branch, fs.ErrNotExist)
	}
	content := limitedBuffer{left: longest}
	if err := c.tree.run(ctx, nil, &content, nil, "cat-file", "blob", blob); err != nil {
		return nil, failed(exit.LocalFailed, "cannot read "+c.rel+" of "+c.Remote+"/"+branch, err, "git -C "+exit.Word(c.Root)+" fsck")
	}
	return content.Bytes(), nil
}

// Beside is another file of the same work tree.
func (c *Committed) Beside(path string) (*Committed, error) {
	root, rel, err := inRepository(path)
	if err != nil {
		return nil, err
	}
	if root != c.Root {
		return nil, fmt.Errorf("%s is in another work tree than hosts.toml and %w", printable.Line(path), ErrNotCompared)
	}
	other := *c
	other.rel = rel
	return &other, nil
}

// Tracked says that the branch that is checked out has the file.
func (c *Committed) Tracked(ctx context.Context) bool {
	_, err := c.tree.git(ctx, "--literal-pathspecs", "ls-files", "--error-unmatch", "--", c.rel)
	return err == nil
}

// Compare is the command that shows how the file differs from the remote's branch.
func (c *Committed) Compare(branch string) string {
	return "git -C " + exit.Word(c.Root) + " diff " + exit.Word(c.Remote+"/"+branch) + " -- " + exit.Word(c.rel)
}

// limitedBuffer keeps the first bytes.
type limitedBuffer struct {
	bytes.Buffer
	left int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	kept := p[:min(len(p), b.left)]
	b.left -= len(kept)
	b.Buffer.Write(kept)
	return len(p), nil
}

// OnRemote refuses a work tree whose commit is not part of the team's branch: its Makefile
// and scripts were not reviewed. A commit of one of the others will do too. Changes that are not committed are the
// developer's own. The error is an *exit.Error.
func (t *Tree) OnRemote(ctx context.Context, branch string, others ...string) error {
	remote, err := t.remote(ctx)
	if errors.Is(err, ErrNotCompared) {
		return &exit.Error{Code: exit.Refused, Err: err, Message: "cannot tell whether what is checked out was reviewed: the work tree has no remote named origin or upstream", Next: "git remote -v"}
	}
	if err != nil {
		return err
	}
	isPart := func() bool {
		return slices.ContainsFunc(append([]string{branch}, others...), func(name string) bool {
			_, err := t.git(ctx, "merge-base", "--is-ancestor", "HEAD", "refs/remotes/"+remote+"/"+name)
			return err == nil
		})
	}
	if isPart() {
		return nil
	}
	// The branch may follow another remote than the team's (a fork), and this one was not fetched for long.
	if ctx.Err() == nil && t.fetch(ctx, remote) == nil && isPart() {
		return nil
	}
	if ctx.Err() != nil {
		return &exit.Error{Code: exit.Interrupted, Message: "interrupted before the work tree was compared with its remote", Err: ctx.Err()}
	}
	failure := &exit.Error{
		Code: exit.Refused, Message: fmt.Sprintf("the commit that is checked out is not part of %s/%s", remote, branch),
		Next: "git switch --detach " + exit.Word(remote+"/"+branch),
	}
	if !t.knows(ctx, "refs/remotes/"+remote+"/"+branch) {
		failure.Message, failure.Next = fmt.Sprintf("there is no branch %s/%s here", remote, branch), "git "+fetchOf(remote, branch)
	}
	return failure
}
