package inprocess

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// application is the files of the application, as far as a deploy is concerned.
var application = map[string]string{
	"deploy.php":       "<?php\nnamespace Deployer;\n\n// The workers to restart are in hosts.toml: nobody edits this file any more.\n",
	"composer.json":    "{\n  \"name\": \"reconnect/pro\"\n}\n",
	"bin/console":      "#!/usr/bin/env php\n<?php\n// The program that hosts name as PHP plays this script: lab/app/console.\n",
	"public/index.php": "<?php\necho 'Reconnect Pro';\n",
}

// makeWorkTree makes the application's repository: a bare remote with a branch for each
// environment, and a checkout of the first one's.
func (l *Lab) makeWorkTree(ctx context.Context) error {
	for name, text := range application {
		if err := writeFile(filepath.Join(l.WorkTree(), name), text); err != nil {
			return err
		}
	}
	branches := l.branches()
	remote, first := l.path("origin.git"), "--initial-branch="+branches[0]
	if err := git(ctx, l.options.Dir, "init", "-q", "--bare", first, remote); err != nil {
		return err
	}
	if err := git(ctx, l.WorkTree(), "init", "-q", first); err != nil {
		return err
	}
	if err := identify(ctx, l.WorkTree(), "Developer"); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"add", "--all"},
		{"commit", "-q", "-m", "Begin the application"},
		{"remote", "add", "origin", remote},
	} {
		if err := git(ctx, l.WorkTree(), args...); err != nil {
			return err
		}
	}
	for _, branch := range branches[1:] {
		if err := git(ctx, l.WorkTree(), "branch", branch); err != nil {
			return err
		}
	}
	return git(ctx, l.WorkTree(), append([]string{"push", "-q", "-u", "origin"}, branches...)...)
}

// branches of the environments, each once.
func (l *Lab) branches() []string {
	var all []string
	for _, e := range l.options.Environments {
		if !slices.Contains(all, e.Branch) {
			all = append(all, e.Branch)
		}
	}
	return all
}

// Merge has a colleague put a change of one file on a branch of the remote: what the
// developer's work tree does not have yet.
func (l *Lab) Merge(ctx context.Context, branch, file, text string) error {
	colleague := l.path("colleague")
	if _, err := os.Stat(colleague); err != nil {
		if err := git(ctx, l.options.Dir, "clone", "-q", l.path("origin.git"), colleague); err != nil {
			return err
		}
		if err := identify(ctx, colleague, "Colleague"); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"checkout", "-q", branch}, {"pull", "-q", "--ff-only"}} {
		if err := git(ctx, colleague, args...); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(colleague, file), text); err != nil {
		return err
	}
	for _, args := range [][]string{{"add", "--all"}, {"commit", "-q", "-m", "Change " + file}, {"push", "-q"}} {
		if err := git(ctx, colleague, args...); err != nil {
			return err
		}
	}
	return nil
}

func identify(ctx context.Context, tree, who string) error {
	for _, pair := range [][2]string{
		{"user.name", who}, {"user.email", strings.ToLower(who) + "@lab.invalid"}, {"commit.gpgsign", "false"},
	} {
		if err := git(ctx, tree, "config", pair[0], pair[1]); err != nil {
			return err
		}
	}
	return nil
}

// git runs in dir, by nobody's own configuration.
func git(ctx context.Context, dir string, args ...string) error {
	command := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot git %s in %s: %w: %s", args[0], dir, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func writeFile(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	return os.WriteFile(name, []byte(text), mode)
}
