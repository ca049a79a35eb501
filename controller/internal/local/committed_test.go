package local

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// TestCommitted reads a file as the remote has it, whatever the work tree has, to the byte.
func TestCommitted(t *testing.T) {
	r := newRepository(t)
	content := "first\x00\r\n" + strings.Repeat("long\n", 40_000) + "\n\n"
	r.write("conf/hosts.toml", content)
	r.git("add", ".")
	r.git("commit", "--quiet", "-m", "Add hosts.toml")
	r.git("push", "--quiet", "origin", "dev")
	r.write("conf/hosts.toml", "other\n")
	path := filepath.Join(r.clone, "conf", "hosts.toml")
	for name, main := range map[string]func(){
		"asked":            func() {}, // a clone of an empty repository knows no default branch
		"known":            func() { r.git("remote", "set-head", "origin", "main") },
		"known and gone":   func() { r.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/master") },
		"through a link":   func() { path = link(t, path) },
		"through a folder": func() { path = filepath.Join(link(t, r.clone), "conf/hosts.toml") },
	} {
		main()
		c, err := Tree{Dir: "/"}.Committed(t.Context(), path, false)
		if err != nil {
			t.Fatal(name, err)
		}
		if c.Main != "main" || c.Remote != "origin" || !c.Tracked(t.Context()) {
			t.Errorf("%s: %+v", name, c)
		}
		if got, err := c.At(t.Context(), "dev"); err != nil || string(got) != content {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if _, err := c.At(t.Context(), "main"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: main: %v", name, err)
		}
		if _, err := c.At(t.Context(), "none"); exit.From(err).Code != exit.Refused || exit.From(err).Next == "" {
			t.Errorf("%s: none: %v", name, err)
		}
	}
}

// link makes a link outside of any work tree.
func link(t *testing.T, to string) string {
	t.Helper()
	from := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(to, from))
	return from
}

// TestNotCommitted is of files that no remote has another version of, and of links that a branch can make.
func TestNotCommitted(t *testing.T) {
	r := newRepository(t)
	r.write("conf/hosts.toml", "x\n")
	r.write("other/hosts.toml", "y\n")
	must(t, os.Symlink("other", filepath.Join(r.clone, "linked")))
	must(t, os.Symlink("other/hosts.toml", filepath.Join(r.clone, "hosts.toml")))
	for _, path := range []string{"linked/hosts.toml", "hosts.toml"} {
		_, err := Tree{}.Committed(t.Context(), filepath.Join(r.clone, path), false)
		if err == nil || !strings.Contains(err.Error(), "is a link of the work tree") {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := (Tree{}).Committed(t.Context(), link(t, filepath.Join(r.clone, path)), false); err == nil {
			t.Errorf("%s, through a link elsewhere: no error", path)
		}
	}
	if _, err := (Tree{}).Committed(t.Context(), filepath.Join(t.TempDir(), "hosts.toml"), false); !errors.Is(err, ErrNotCompared) {
		t.Errorf("outside: %v", err)
	}
	c, err := Tree{}.Committed(t.Context(), filepath.Join(r.clone, "conf/hosts.toml"), true)
	if err != nil || c.Tracked(t.Context()) {
		t.Errorf("a file that git does not track: %v", err)
	}
	for _, remotes := range []struct {
		names []string
		want  string
	}{{[]string{"mine"}, "mine"}, {[]string{"mine", "theirs"}, ""}, {[]string{"origin", "theirs"}, "origin"}, {[]string{"origin", "upstream"}, "upstream"}, {nil, ""}} {
		for name := range strings.Lines(r.git("remote")) {
			r.git("remote", "remove", strings.TrimSpace(name))
		}
		for _, name := range remotes.names {
			r.git("remote", "add", name, r.remote)
		}
		tree := Tree{Dir: r.clone}
		if got, err := tree.remote(t.Context()); got != remotes.want || (remotes.want == "") != errors.Is(err, ErrNotCompared) {
			t.Errorf("%v: %s, %v", remotes.names, got, err)
		}
	}
}

// TestCommittedInSingleBranchClone: what next names brings the missing branch, also where the clone fetches one only.
func TestCommittedInSingleBranchClone(t *testing.T) {
	r := newRepository(t)
	r.write("hosts.toml", "first\n")
	r.git("add", ".")
	r.git("commit", "--quiet", "-m", "Add hosts.toml")
	r.git("push", "--quiet", "origin", "dev", "dev:other")
	r.git("config", "remote.origin.fetch", "+refs/heads/dev:refs/remotes/origin/dev")
	r.git("update-ref", "-d", "refs/remotes/origin/other")
	c, err := Tree{Dir: r.clone}.Committed(t.Context(), filepath.Join(r.clone, "hosts.toml"), true)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.At(t.Context(), "other")
	if exit.From(err).Code != exit.Refused {
		t.Fatal(err)
	}
	next := exec.Command("sh", "-c", exit.From(err).Next)
	if output, err := next.CombinedOutput(); err != nil {
		t.Fatalf("%s: %s", err, output)
	}
	if got, err := c.At(t.Context(), "other"); err != nil || string(got) != "first\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestCommittedInFreshClone: a clone as CI makes it has neither the default branch nor its name, and gets both at once.
func TestCommittedInFreshClone(t *testing.T) {
	r := newRepository(t)
	r.write("hosts.toml", "dev\n")
	r.git("add", ".")
	r.git("commit", "--quiet", "-m", "Add hosts.toml")
	r.git("push", "--quiet", "origin", "dev", "dev:main")
	clone := filepath.Join(t.TempDir(), "clone")
	r.git("clone", "--quiet", "--depth", "1", "--single-branch", "--branch", "dev", "file://"+r.git("remote", "get-url", "origin"), clone)
	tree := Tree{Dir: clone}
	if tree.knows(t.Context(), "refs/remotes/origin/main") {
		t.Fatal("the clone has the default branch already")
	}
	c, err := tree.Committed(t.Context(), filepath.Join(clone, "hosts.toml"), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, branch := range []string{c.Main, "dev"} {
		if got, err := c.At(t.Context(), branch); err != nil || string(got) != "dev\n" {
			t.Errorf("%s: %q, %v", branch, got, err)
		}
	}
	if err := tree.OnRemote(t.Context(), "dev"); err != nil {
		t.Error(err)
	}
}

// TestOnRemoteFetches: a branch that follows a fork is compared with what the team's remote has now.
func TestOnRemoteFetches(t *testing.T) {
	r := newRepository(t)
	tree := Tree{Dir: r.clone}
	r.git("remote", "add", "upstream", r.git("remote", "get-url", "origin"))
	r.git("fetch", "--quiet", "upstream")
	r.write("file", "x")
	r.git("add", ".")
	r.git("commit", "--quiet", "-m", "one")
	if err := tree.OnRemote(t.Context(), "dev"); exit.From(err).Code != exit.Refused {
		t.Errorf("not pushed: %v", err)
	}
	r.git("push", "--quiet", "origin", "dev")
	if err := tree.OnRemote(t.Context(), "dev"); err != nil {
		t.Error(err)
	}
}
