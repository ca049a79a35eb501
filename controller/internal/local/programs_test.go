package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGitRunsNothingOfTheBranch: a hook, a monitor of files, and a git or ssh on a PATH that leads into the work tree
// belong to the branch that is checked out.
func TestGitRunsNothingOfTheBranch(t *testing.T) {
	w := newRepository(t)
	ran := filepath.Join(t.TempDir(), "ran")
	script := "#!/bin/sh\necho \"$0\" >>" + ran + "\nexec /usr/bin/false\n"
	for _, name := range []string{
		"hooks/post-checkout", "hooks/post-merge", "hooks/reference-transaction", "hooks/post-index-change", "hooks/pre-auto-gc", "monitor", "bin/git", "bin/ssh", "bin/git-upload-pack",
	} {
		path := filepath.Join(w.clone, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.git("config", "core.hooksPath", "hooks")
	w.git("config", "core.fsmonitor", "./monitor")
	t.Setenv("PATH", strings.Join([]string{filepath.Join(w.clone, "bin"), ".", "bin", "", os.Getenv("PATH")}, ":"))
	t.Setenv("GIT_CONFIG_COUNT", "") // nothing of this test's own
	tree := Tree{Dir: w.clone}
	if _, err := tree.Update(t.Context(), "main"); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Standing(t.Context(), "dev"); err != nil {
		t.Fatal(err)
	}
	if said, err := os.ReadFile(ran); err == nil {
		t.Errorf("programs of the work tree were run:\n%s", said)
	}
}

func TestPathOutside(t *testing.T) {
	tree, elsewhere := t.TempDir(), t.TempDir()
	for _, folder := range []string{".git", "vendor/bin"} {
		if err := os.MkdirAll(filepath.Join(tree, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(elsewhere, "link")
	if err := os.Symlink(filepath.Join(tree, "vendor/bin"), link); err != nil {
		t.Fatal(err)
	}
	path := strings.Join([]string{"/usr/bin", filepath.Join(tree, "vendor/bin"), "", ".", "vendor/bin", link, tree, tree + "-other", elsewhere, "/none"}, ":")
	want := strings.Join([]string{"/usr/bin", tree + "-other", elsewhere, "/none"}, ":")
	for _, dir := range []string{tree, filepath.Join(tree, "vendor")} {
		if got := pathOutside(path, dir, "/root"); got != want {
			t.Errorf("from %s: %s", dir, got)
		}
	}
	if got := pathOutside("/usr/bin:.:"+elsewhere, elsewhere, elsewhere); got != "/usr/bin:"+elsewhere {
		t.Errorf("in no work tree: %s", got)
	}
}

// TestPathOutsideWithDotfiles: where home itself is a work tree, the operator's programs stay, and those of the
// application's folder do not.
func TestPathOutsideWithDotfiles(t *testing.T) {
	above := t.TempDir()
	home := filepath.Join(above, "alice")
	app, bin := filepath.Join(home, "app"), filepath.Join(home, "bin")
	must(t, os.MkdirAll(filepath.Join(app, "bin"), 0o755))
	must(t, os.MkdirAll(bin, 0o755))
	path := strings.Join([]string{"/usr/bin", bin, filepath.Join(app, "bin"), "bin"}, ":")
	inApp, all := strings.Join([]string{"/usr/bin", bin}, ":"), strings.Join([]string{"/usr/bin", bin, filepath.Join(app, "bin")}, ":")
	linked := link(t, home)
	for _, git := range []string{filepath.Join(home, ".git"), filepath.Join(above, ".git")} {
		must(t, os.Mkdir(git, 0o755))
		for _, c := range []struct{ dir, home, want string }{
			{app, home, inApp}, {app, linked, inApp}, {filepath.Join(linked, "app"), home, inApp}, {home, home, all}, {home, linked, all},
			{app, "", "/usr/bin"}, {app, "alice", "/usr/bin"}, {app, "/none", "/usr/bin"},
		} {
			if got := pathOutside(path, c.dir, c.home); got != c.want {
				t.Errorf("from %s, with the home %q and %s: %s", c.dir, c.home, git, got)
			}
		}
		must(t, os.Remove(git))
	}
	must(t, os.Mkdir(filepath.Join(home, ".git"), 0o755))
	must(t, os.Mkdir(filepath.Join(app, ".git"), 0o755))
	if got := pathOutside(path, app, home); got != inApp {
		t.Errorf("an application with a repository of its own: %s", got)
	}
}
