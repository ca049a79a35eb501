package app

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// keep is how many releases stay, as Deployer's keep_releases does.
const keep = 5

// Deploy makes a release of the work tree's HEAD in the application folder, in
// Deployer's layout: releases/N, its REVISION, and the link current switched by
// a rename so that there is no moment without it.
func Deploy(from, to string, out io.Writer) error {
	revision, err := git(from, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	listed, err := git(from, "ls-files", "-z")
	if err != nil {
		return err
	}
	numbers, err := releases(to)
	if err != nil {
		return err
	}
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	release := filepath.Join(to, "releases", strconv.Itoa(next))
	fmt.Fprintf(out, "task deploy:release %d\n", next)
	for name := range strings.SplitSeq(strings.Trim(listed, "\x00"), "\x00") {
		if err := copyFile(filepath.Join(from, name), filepath.Join(release, name)); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(release, "REVISION"), []byte(revision+"\n"), 0o644); err != nil {
		return fmt.Errorf("cannot write the revision: %w", err)
	}
	fmt.Fprintf(out, "task deploy:symlink %d\n", next)
	if err := switchTo(to, next); err != nil {
		return err
	}
	return prune(to, append(numbers, next))
}

// Rollback lets current name the release before the one that it names.
func Rollback(to string, out io.Writer) error {
	target, err := os.Readlink(filepath.Join(to, "current"))
	if err != nil {
		return fmt.Errorf("cannot roll back: %w", err)
	}
	current, err := strconv.Atoi(filepath.Base(target))
	if err != nil {
		return fmt.Errorf("cannot roll back: current names %s, which is no release", target)
	}
	numbers, err := releases(to)
	if err != nil {
		return err
	}
	previous := 0
	for _, n := range numbers {
		if n < current {
			previous = n
		}
	}
	if previous == 0 {
		return fmt.Errorf("cannot roll back: there is no release before %d", current)
	}
	fmt.Fprintf(out, "task rollback: %d -> %d\n", current, previous)
	return switchTo(to, previous)
}

// switchTo makes current name a release.
func switchTo(to string, release int) error {
	link := filepath.Join(to, "release")
	os.Remove(link)
	if err := os.Symlink(filepath.Join("releases", strconv.Itoa(release)), link); err != nil {
		return fmt.Errorf("cannot switch the release: %w", err)
	}
	return os.Rename(link, filepath.Join(to, "current"))
}

// releases are the numbers in releases/, rising.
func releases(to string) ([]int, error) {
	folder := filepath.Join(to, "releases")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	highest := 0
	present := map[int]bool{}
	for _, entry := range entries {
		if n, err := strconv.Atoi(entry.Name()); err == nil {
			present[n] = true
			highest = max(highest, n)
		}
	}
	var numbers []int
	for n := 1; n <= highest; n++ {
		if present[n] {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

// prune removes the oldest releases.
func prune(to string, numbers []int) error {
	for len(numbers) > keep {
		if err := os.RemoveAll(filepath.Join(to, "releases", strconv.Itoa(numbers[0]))); err != nil {
			return err
		}
		numbers = numbers[1:]
	}
	return nil
}

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, info.Mode().Perm())
}

func git(dir string, args ...string) (string, error) {
	command := exec.Command("git", append([]string{"-C", dir}, args...)...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	answer, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(answer)), nil
}
