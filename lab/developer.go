package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The developer's keys: the one for everything, and the one that hosts accept
// for `rp-agent ssh` only.
const (
	keyNormal = "id_ed25519"
	keyForced = "id_forced"
)

// branches of the work tree; both start at the same commit.
var branches = []string{"dev", "main"}

// SSHConfig is the file for `ssh -F`: rp-bastion; rp-preprod through it as user app, rp-prod as
// alice, who is an operator there; -direct without it; -app for the application's user, who
// deploys; -admin for the user with sudo; -forced with the key that can only ask rp-agent. A ControlPath is set, and used when a master is there.
func (l *Lab) SSHConfig() string { return l.path("ssh", "config") }

// HostsTOML is an inventory of this lab.
func (l *Lab) HostsTOML() string { return l.path("hosts.toml") }

// WorkTree is the developer's checkout of the application, on branch dev, with a remote
// called origin. `make deploy-preprod` in it deploys as Deployer does.
func (l *Lab) WorkTree() string { return l.path("work") }

// SSH runs a command through ssh with the lab's configuration.
func (l *Lab) SSH(ctx context.Context, alias string, argv ...string) (string, error) {
	args := append([]string{"-F", l.SSHConfig(), "-o", "BatchMode=yes", alias, "--"}, argv...)
	cmd := exec.CommandContext(ctx, "ssh", args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("ssh %s: %w: %s", alias, err, lastLines(errs.Bytes(), 20))
	}
	return out.String(), nil
}

// prepareDeveloper makes what the developer's side has: keys, configuration, inventory, work tree.
func (l *Lab) prepareDeveloper(ctx context.Context, roles []Role) error {
	if err := os.MkdirAll(l.path("ssh"), 0o755); err != nil {
		return fmt.Errorf("cannot make the lab's folder: %w", err)
	}
	for _, key := range []string{keyNormal, keyForced, keyApprover} {
		if err := keygen(ctx, "ed25519", l.path("ssh", key), "developer@lab"); err != nil {
			return err
		}
	}
	if err := os.WriteFile(l.SSHConfig(), l.sshConfig(roles), 0o644); err != nil {
		return err
	}
	if err := l.writeInventory(); err != nil {
		return err
	}
	return l.makeWorkTree(ctx)
}

func keygen(ctx context.Context, kind, file, comment string) error {
	return command(ctx, "ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", file)
}

// sshConfig is written for OpenSSH's rule that the first value found counts.
func (l *Lab) sshConfig(roles []Role) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The lab's hosts (%s). Use it as: ssh -F %s rp-preprod\n", l.Suite, l.SSHConfig())
	for _, r := range roles {
		alias, address := "rp-"+string(r), l.slot.address(r)
		if r == Bastion {
			fmt.Fprintf(&b, "Host %s\n    HostName %s\n    User %s\n", alias, address, jumpUser)
			continue
		}
		fmt.Fprintf(&b, "Host %[1]s %[1]s-direct %[1]s-admin %[1]s-forced %[1]s-app\n    HostName %[2]s\n", alias, address)
	}
	fmt.Fprintf(&b, "Host rp-prod rp-prod-direct rp-prod-forced\n    User %s\n", developerUser)
	fmt.Fprintf(&b, "Host rp-*-admin\n    User %s\n", adminUser)
	fmt.Fprintf(&b, "Host rp-*-forced\n    IdentityFile %s\n", l.path("ssh", keyForced))
	if slices.Contains(roles, Bastion) {
		fmt.Fprintf(&b, "Host rp-* !rp-bastion !rp-*-direct\n    ProxyJump rp-bastion\n")
	}
	fmt.Fprintf(&b, "Host rp-* !rp-*-forced\n    IdentityFile %s\n", l.path("ssh", keyNormal))
	fmt.Fprintf(&b, `Host rp-*
    Port %s
    User %s
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile %s
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    ControlPath %s
`, l.port, appUser, l.path("ssh", "known_hosts"), l.path("ssh", "cm-%C"))
	return b.Bytes()
}

// writeKnownHosts lists one of the two kinds of key that each host has: whoever
// negotiates the other one without looking here first is refused, as in real life.
func (l *Lab) writeKnownHosts() error {
	var b bytes.Buffer
	for _, h := range l.hosts {
		key, err := os.ReadFile(filepath.Join(h.root, "etc/ssh/ssh_host_ed25519_key.pub"))
		if err != nil {
			return fmt.Errorf("cannot read the key of %s: %w", h.Role, err)
		}
		name := h.Address
		if l.port != "22" {
			name = "[" + name + "]:" + l.port // as ssh writes it, see sshd(8)
		}
		fmt.Fprintf(&b, "%s %s", name, key)
	}
	return os.WriteFile(l.path("ssh", "known_hosts"), b.Bytes(), 0o644)
}

// makeWorkTree makes the application's repository: a bare remote and a checkout of dev.
func (l *Lab) makeWorkTree(ctx context.Context) error {
	if err := l.writeApplication(); err != nil {
		return err
	}
	remote := l.path("work.git")
	if err := command(ctx, "git", "init", "-q", "--bare", "--initial-branch="+branches[0], remote); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "-q", "--initial-branch=" + branches[0]},
		{"config", "user.name", "Developer"},
		{"config", "user.email", "developer@lab.invalid"},
		{"config", "commit.gpgsign", "false"},
		{"config", "lab.sshconfig", l.SSHConfig()},
		{"add", "--all"},
		{"commit", "-q", "-m", "Begin the application"},
		{"branch", branches[1]},
		{"remote", "add", "origin", remote},
		{"push", "-q", "-u", "origin", branches[0], branches[1]},
	} {
		if _, err := l.git(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// writeApplication copies the application that this package carries into the work tree.
func (l *Lab) writeApplication() error {
	app, err := fs.Sub(files, "symfony")
	if err != nil {
		return err
	}
	if err := os.CopyFS(l.WorkTree(), app); err != nil {
		return fmt.Errorf("cannot make the work tree: %w", err)
	}
	return fs.WalkDir(app, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(name, "bin/") {
			mode = 0o755 // embedding forgets it
		}
		return os.Chmod(filepath.Join(l.WorkTree(), name), mode)
	})
}

func (l *Lab) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", l.WorkTree()}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, lastLines(exit.Stderr, 10))
		}
		return "", fmt.Errorf("cannot run git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// giveToDeveloper hands what is not a host to the person who typed sudo.
func (l *Lab) giveToDeveloper() error {
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	if err != nil {
		return nil
	}
	root, err := os.OpenRoot(l.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range []string{"ssh", "work", "work.git", "hosts.toml", approversFile} {
		if err := chownAll(root, name, uid); err != nil {
			return err
		}
	}
	return nil
}
