package local

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// repository is a developer's clone with branch dev (checked out) and main, and the remote that it follows.
type repository struct {
	t      *testing.T
	clone  string
	remote string
}

// template is a folder with a clone and its remote, made once: git is slow to start.
var template string

func newRepository(t *testing.T) repository {
	t.Helper()
	if template == "" {
		makeTemplate(t)
	}
	top, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	must(t, os.CopyFS(top, os.DirFS(template)))
	r := repository{t, filepath.Join(top, "clone"), filepath.Join(top, "remote.git")}
	r.git("remote", "set-url", "origin", r.remote)
	return r
}

func makeTemplate(t *testing.T) {
	t.Helper()
	top, err := os.MkdirTemp("", "rpctl-local-")
	must(t, err)
	template = top
	r := repository{t, filepath.Join(top, "clone"), filepath.Join(top, "remote.git")}
	output(t, top, "git", "init", "--quiet", "--bare", "--initial-branch=main", r.remote)
	output(t, top, "git", "clone", "--quiet", r.remote, r.clone)
	r.git("checkout", "--quiet", "-b", "main")
	r.write("deploy.php", "<?php\n")
	r.write("src/Kernel.php", "<?php\n")
	r.git("add", ".")
	r.git("commit", "--quiet", "-m", "Begin")
	r.git("push", "--quiet", "-u", "origin", "main")
	r.git("checkout", "--quiet", "-b", "dev")
	r.git("push", "--quiet", "-u", "origin", "dev")
}

func output(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repository) git(args ...string) string {
	r.t.Helper()
	return output(r.t, r.clone, append([]string{"git"}, args...)...)
}

func (r repository) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.clone, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r repository) commit(name string) string {
	r.t.Helper()
	r.write(name, name)
	r.git("add", name)
	r.git("commit", "--quiet", "-m", "Add "+name)
	return r.git("rev-parse", "HEAD")
}

// mate pushes a commit to branch of the remote from another clone.
func (r repository) mate(branch, name string) string {
	r.t.Helper()
	other := repository{r.t, filepath.Join(r.t.TempDir(), "mate"), r.remote}
	output(r.t, filepath.Dir(other.clone), "git", "clone", "--quiet", "--branch", branch, r.remote, other.clone)
	revision := other.commit(name)
	other.git("push", "--quiet", "origin", branch)
	return revision
}

func TestCheck(t *testing.T) {
	r := newRepository(t)
	r.write("notes.txt", "git does not track this")
	r.write("sub/folder/x", "x")
	head := r.git("rev-parse", "HEAD")
	tree := Tree{Dir: filepath.Join(r.clone, "sub/folder")}
	want := State{Root: r.clone, Branch: "dev", Revision: head, Upstream: "origin/dev"}
	if got, err := tree.Check(t.Context(), "dev"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}

	r.mate("dev", "theirs")
	r.commit("ours")
	want.Revision, want.Ahead = r.git("rev-parse", "HEAD"), 1
	if got, err := tree.Check(t.Context(), "dev"); err != nil || got != want {
		t.Errorf("without a fetch: got %+v, %v; want %+v", got, err, want)
	}
	r.git("fetch", "--quiet")
	want.Behind = 1
	if got, err := tree.Check(t.Context(), "dev"); err != nil || got != want {
		t.Errorf("after a fetch: got %+v, %v; want %+v", got, err, want)
	}
	want.Ahead, want.Behind, want.Upstream = 0, 0, "origin/main"
	if got, err := tree.Check(t.Context(), "main"); err != nil || got != want {
		t.Errorf("for another branch: got %+v, %v; want %+v", got, err, want)
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		prepare    func(r repository)
		branch     string
		want, next string
	}{
		"deploy.php modified": {
			func(r repository) { r.write("deploy.php", "<?php // preprod\n"); r.write("src/Kernel.php", "") },
			"dev", "deploy.php is modified: nobody edits it any more", "git checkout HEAD -- deploy.php",
		},
		"deploy.php staged": {
			func(r repository) { r.write("deploy.php", "<?php // preprod\n"); r.git("add", "deploy.php") },
			"dev", "deploy.php is modified: nobody edits it any more", "git checkout HEAD -- deploy.php",
		},
		"deploy.php deleted": {
			func(r repository) { r.git("rm", "--quiet", "deploy.php") },
			"dev", "deploy.php is modified", "git checkout HEAD -- deploy.php",
		},
		"deploy.php renamed": {
			func(r repository) { r.git("mv", "deploy.php", "old.php") },
			"dev", "deploy.php is modified", "git checkout HEAD -- deploy.php",
		},
		"deploy.php hidden": {
			func(r repository) {
				r.git("update-index", "--assume-unchanged", "deploy.php")
				r.write("deploy.php", "<?php // preprod\n")
			},
			"dev", "deploy.php is hidden from git", "--no-assume-unchanged",
		},
		"deploy.php skipped": {
			func(r repository) { r.git("update-index", "--skip-worktree", "deploy.php") },
			"dev", "deploy.php is hidden from git", "--no-skip-worktree",
		},
		"another file modified": {
			func(r repository) { r.write("src/Kernel.php", "<?php // x\n") },
			"dev", "changes that are not committed: src/Kernel.php", "git stash",
		},
		"many files, odd names": {
			func(r repository) {
				for _, file := range []string{"a\x1b[2J", "b", "c", "d", "e", "f g"} {
					r.write(file, "x")
					r.git("add", file)
				}
			},
			"dev", `a\x1b[2J, b, c, d, e and 1 more`, "",
		},
		"in a merge": {
			func(r repository) { r.write(".git/MERGE_HEAD", r.git("rev-parse", "HEAD")+"\n") },
			"dev", "in the middle of a merge", "git merge --abort",
		},
		"in a rebase": {
			func(r repository) { conflict(r) },
			"dev", "in the middle of a rebase", "git rebase --abort",
		},
		"in a bisect": {
			func(r repository) { r.git("bisect", "start") },
			"dev", "in the middle of a bisect", "git bisect reset",
		},
		"detached head": {
			func(r repository) { r.git("checkout", "--quiet", "--detach") },
			"dev", "on no branch (detached HEAD)", "git switch dev",
		},
		"unknown branch": {
			func(repository) {}, "devel", "there is no branch devel", "git fetch",
		},
		"a branch below it": {
			func(r repository) { r.git("branch", "feature/x") }, "feature", "there is no branch feature", "git fetch",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t)
			test.prepare(r)
			before := r.git("status", "--porcelain")
			_, err := (&Tree{Dir: r.clone}).Check(t.Context(), test.branch)
			got := failure(t, err, exit.Refused)
			if !strings.Contains(got.Message, test.want) || !strings.Contains(got.Next, test.next) {
				t.Errorf("got %q, next %q", got.Message, got.Next)
			}
			_, err = (&Tree{Dir: r.clone}).Update(t.Context(), test.branch)
			failure(t, err, exit.Refused)
			if after := r.git("status", "--porcelain"); after != before {
				t.Errorf("the work tree is changed: %s", after)
			}
		})
	}
}

// conflict leaves a rebase in the middle.
func conflict(r repository) {
	r.t.Helper()
	r.git("checkout", "--quiet", "-b", "other")
	r.write("src/Kernel.php", "one\n")
	r.git("commit", "--quiet", "-am", "One")
	r.git("checkout", "--quiet", "dev")
	r.write("src/Kernel.php", "two\n")
	r.git("commit", "--quiet", "-am", "Two")
	cmd := exec.Command("git", "rebase", "other")
	cmd.Dir = r.clone
	if cmd.Run() == nil {
		r.t.Fatal("the rebase does not stop")
	}
}

func TestCheckOutsideOfAWorkTree(t *testing.T) {
	r := newRepository(t)
	for _, dir := range []string{filepath.Dir(r.clone), r.remote} {
		_, err := (&Tree{Dir: dir}).Check(t.Context(), "dev")
		if got := failure(t, err, exit.Refused); !strings.Contains(got.Message, "cannot deploy from here") {
			t.Errorf("got %q", got.Message)
		}
	}
}

func TestCheckInSomebodyElsesWorkTree(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	r := newRepository(t)
	for _, path := range []string{r.clone, filepath.Join(r.clone, ".git")} {
		must(t, os.Chown(path, 12345, 12345))
	}
	t.Setenv("SUDO_UID", "")
	_, err := (&Tree{Dir: r.clone}).Check(t.Context(), "dev")
	if got := failure(t, err, exit.Refused); !strings.Contains(got.Message, "dubious ownership") || !strings.Contains(got.Message, "safe.directory") || got.Next != "git help config" {
		t.Errorf("got %q, next %q", got.Message, got.Next)
	}
}

func TestCheckWithoutGit(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := (&Tree{Dir: t.TempDir()}).Check(t.Context(), "dev")
	if got := failure(t, err, exit.LocalFailed); !strings.Contains(got.Message, "git is not on PATH: install it") {
		t.Errorf("got %q, next %q", got.Message, got.Next)
	}
}

func TestCheckInterrupted(t *testing.T) {
	r := newRepository(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&Tree{Dir: r.clone}).Check(ctx, "dev")
	failure(t, err, exit.Interrupted)
}

// Inside a git hook, GIT_DIR names the hook's repository.
func TestCheckInAHook(t *testing.T) {
	r := newRepository(t)
	t.Setenv("GIT_DIR", r.remote)
	got, err := (&Tree{Dir: r.clone}).Check(t.Context(), "dev")
	if err != nil || got.Root != r.clone {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestUpdate(t *testing.T) {
	r := newRepository(t)
	theirs := r.mate("dev", "theirs")
	var out bytes.Buffer
	tree := Tree{Dir: r.clone, Output: &out}
	want := State{Root: r.clone, Branch: "dev", Revision: theirs, Upstream: "origin/dev"}
	if got, err := tree.Update(t.Context(), "dev"); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := os.Stat(filepath.Join(r.clone, "theirs")); err != nil {
		t.Error("the work tree is not moved forward")
	}
	if !strings.Contains(out.String(), "Fast-forward") {
		t.Errorf("git's progress is not shown: %q", out.String())
	}

	theirs = r.mate("main", "on-main")
	want = State{Root: r.clone, Branch: "main", Revision: theirs, Upstream: "origin/main"}
	if got, err := tree.Update(t.Context(), "main"); err != nil || got != want {
		t.Errorf("on another branch: got %+v, %v; want %+v", got, err, want)
	}
	if revision, err := tree.Revision(t.Context()); err != nil || revision != theirs {
		t.Errorf("the revision is %s, %v", revision, err)
	}
}

func TestUpdateChecksOutABranchOfTheRemote(t *testing.T) {
	r := newRepository(t)
	r.git("checkout", "--quiet", "main")
	r.git("branch", "--quiet", "-D", "dev")
	got, err := (&Tree{Dir: r.clone}).Update(t.Context(), "dev")
	if err != nil || got.Branch != "dev" || got.Upstream != "origin/dev" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestUpdateRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		prepare    func(r repository)
		code       exit.Code
		want, next string
	}{
		"parted":            {func(r repository) { r.mate("dev", "theirs"); r.commit("ours") }, exit.Refused, "dev and origin/dev have parted: 1 commit here, 1 commit there", "git pull --rebase"},
		"not pushed":        {func(r repository) { r.commit("one"); r.commit("two") }, exit.Refused, "dev has 2 commits that origin/dev has not", "git log origin/dev..dev"},
		"no upstream":       {func(r repository) { r.git("branch", "--unset-upstream", "dev") }, exit.Refused, "dev follows no branch of a remote", "git branch --set-upstream-to=origin/dev dev"},
		"upstream gone":     {func(r repository) { r.git("push", "--quiet", "origin", "--delete", "dev"); r.git("fetch", "--prune") }, exit.Refused, "the branch that dev follows is gone from its remote", "git branch -vv"},
		"remote is away":    {func(r repository) { must(r.t, os.Rename(r.remote, r.remote+".away")) }, exit.LocalFailed, "cannot fetch from origin: ", "git fetch origin"},
		"would overwrite":   {func(r repository) { r.mate("dev", "theirs"); r.write("theirs", "mine, and not tracked") }, exit.LocalFailed, "cannot move dev forward: ", "git pull --ff-only"},
		"cannot check out":  {func(r repository) { blockCheckout(r) }, exit.LocalFailed, "cannot check out dev: ", "git checkout dev"},
		"index is locked":   {func(r repository) { r.mate("dev", "theirs"); r.write(".git/index.lock", "") }, exit.LocalFailed, "index.lock': File exists; another git works there, or died and left it", "ls -l "},
		"dirty meanwhile":   {func(r repository) { r.write("src/Kernel.php", "x") }, exit.Refused, "not committed", ""},
		"follows local dev": {func(r repository) { r.git("branch", "--set-upstream-to=main", "dev"); r.commit("ours") }, exit.Refused, "dev has 1 commit that main has not", "git log main..dev"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t)
			test.prepare(r)
			_, err := (&Tree{Dir: r.clone}).Update(t.Context(), "dev")
			got := failure(t, err, test.code)
			if !strings.Contains(got.Message, test.want) || !strings.Contains(got.Next, test.next) {
				t.Errorf("got %q, next %q", got.Message, got.Next)
			}
		})
	}
}

// blockCheckout stands on main with an untracked file that dev has tracked.
func blockCheckout(r repository) {
	r.t.Helper()
	r.commit("only-dev")
	r.git("push", "--quiet")
	r.git("checkout", "--quiet", "main")
	r.write("only-dev", "not tracked here")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzChanged(f *testing.F) {
	f.Add(" M deploy.php\x00")
	f.Add("R  new\x00old\x00 M x\x00")
	f.Add("\x00\x00R ")
	f.Fuzz(func(t *testing.T, status string) {
		for _, name := range changed(status) {
			if !strings.Contains(status, name) {
				t.Errorf("%q is not in %q", name, status)
			}
		}
	})
}
