package app

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// repository is a git work tree with one commit.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	if err := os.WriteFile(filepath.Join(dir, "deploy.php"), []byte("<?php\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "."},
		{"-c", "user.name=t", "-c", "user.email=t@t.invalid", "commit", "-q", "-m", "first"},
	} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	return dir
}

func TestDeployKeepsFiveReleasesAndRollsBack(t *testing.T) {
	tree, to := repository(t), t.TempDir()
	for range keep + 2 {
		if err := Deploy(tree, to, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	numbers, err := releases(to)
	if err != nil || len(numbers) != keep || numbers[keep-1] != keep+2 {
		t.Fatalf("releases %v, %v", numbers, err)
	}
	if target, _ := os.Readlink(filepath.Join(to, "current")); target != "releases/7" {
		t.Errorf("current names %q", target)
	}
	for _, file := range []string{"deploy.php", "REVISION"} {
		if _, err := os.Stat(filepath.Join(to, "current", file)); err != nil {
			t.Error(err)
		}
	}
	if err := Rollback(to, io.Discard); err != nil {
		t.Fatal(err)
	}
	if target, _ := os.Readlink(filepath.Join(to, "current")); target != "releases/6" {
		t.Errorf("after the rollback current names %q", target)
	}
}

func TestRollbackWithoutAnOlderRelease(t *testing.T) {
	tree, to := repository(t), t.TempDir()
	if err := Deploy(tree, to, io.Discard); err != nil {
		t.Fatal(err)
	}
	if Rollback(to, io.Discard) == nil {
		t.Error("rolled back to nothing")
	}
}
