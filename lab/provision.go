package lab

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

//go:embed all:symfony units
var files embed.FS

// instances are the worker instances that each host has enabled. As on the real
// hosts, preprod and prod do not have the same families.
var instances = map[Role][]string{
	Preprod: {"messenger_worker_async@1", "messenger_worker_async@2", "messenger_worker_dmp@1", Idle},
	Prod:    {"messenger_worker@1", "messenger_worker@2"},
}

// Idle is the instance of preprod that is enabled but does not run: a restart by
// `systemctl restart 'messenger_worker_export@*'` would silently leave it out.
const Idle = "messenger_worker_export@1"

// AppPath is where the application is on preprod and prod, in Deployer's layout.
const AppPath = "/home/" + appUser + "/www"

// create makes the host's file system from the image, ready to boot.
func (h *Host) create(ctx context.Context, image string, database Database) error {
	if err := os.MkdirAll(filepath.Dir(h.root), 0o700); err != nil {
		return fmt.Errorf("cannot make the hosts' folder: %w", err)
	}
	if err := command(ctx, "cp", "-a", "--reflink=auto", image, h.root); err != nil {
		return err
	}
	root, err := os.OpenRoot(h.root)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := h.writeSystem(root); err != nil {
		return err
	}
	if err := h.writeAccess(ctx, root); err != nil {
		return err
	}
	if h.Role == Bastion {
		return nil
	}
	if err := h.writeWorkers(root); err != nil {
		return err
	}
	if err := h.firstRelease(ctx, root); err != nil {
		return err
	}
	return h.writeDatabase(root, database)
}

// writeSystem gives the host its name and its sshd its only address.
func (h *Host) writeSystem(root *os.Root) error {
	sshd := "ListenAddress " + h.Address + "\nPort " + h.lab.port + "\n" + `PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
HostKey /etc/ssh/ssh_host_ed25519_key
HostKey /etc/ssh/ssh_host_ecdsa_key
`
	if h.lab.Suite != Bookworm {
		// OpenSSH 9.8 and later shut out an address after failed logins: here all tests have the same.
		sshd += "PerSourcePenalties no\n"
	}
	for name, content := range map[string]string{
		"etc/hostname":                  string(h.Role) + "\n",
		"etc/default/locale":            "LANG=C.UTF-8\n",
		"etc/hosts":                     "127.0.0.1 localhost\n" + h.Address + " " + string(h.Role) + "\n",
		"etc/ssh/sshd_config.d/00.conf": sshd,
		"etc/sudoers.d/" + adminUser:    adminUser + " ALL=(ALL:ALL) NOPASSWD: ALL\n",
	} {
		if err := root.WriteFile(name, []byte(content), 0o644); err != nil {
			return fmt.Errorf("cannot set up the host: %w", err)
		}
	}
	return root.Chmod("etc/sudoers.d/"+adminUser, 0o440)
}

// writeAccess makes the host's keys and lets the developer's in: one as usual, one
// that can do nothing but ask rp-agent.
func (h *Host) writeAccess(ctx context.Context, root *os.Root) error {
	for _, kind := range []string{"ed25519", "ecdsa"} {
		file := filepath.Join(h.root, "etc/ssh/ssh_host_"+kind+"_key")
		if err := keygen(ctx, kind, file, "root@"+string(h.Role)); err != nil {
			return err
		}
	}
	normal, err := os.ReadFile(h.lab.path("ssh", keyNormal+".pub"))
	if err != nil {
		return err
	}
	forced, err := os.ReadFile(h.lab.path("ssh", keyForced+".pub"))
	if err != nil {
		return err
	}
	users := map[string]int{appUser: appUID, adminUser: adminUID, developerUser: developerUID}
	if h.Role == Bastion {
		users = map[string]int{jumpUser: jumpUID}
		normal = append(normal, forced...) // it may pass as well
	}
	if h.Role != Bastion {
		if err := addDeveloper(root); err != nil {
			return fmt.Errorf("cannot add %s: %w", developerUser, err)
		}
	}
	for user, uid := range users {
		keys := normal
		if user != adminUser && user != jumpUser {
			keys = append(bytes.Clone(normal), append([]byte(`restrict,command="/usr/local/bin/rp-agent ssh" `), forced...)...)
		}
		if err := authorize(root, "home/"+user, uid, keys); err != nil {
			return fmt.Errorf("cannot let %s in: %w", user, err)
		}
	}
	return nil
}

// addDeveloper does what useradd(8) would: the image has the users of all hosts, and not this one.
func addDeveloper(root *os.Root) error {
	for name, line := range map[string]string{
		"etc/passwd": fmt.Sprintf("%s:x:%d:%d::/home/%[1]s:/bin/bash\n", developerUser, developerUID, developerUID),
		"etc/group":  fmt.Sprintf("%s:x:%d:\n", developerUser, developerUID),
		"etc/shadow": developerUser + ":!:20000:0:99999:7:::\n",
	} {
		file, err := root.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = file.WriteString(line)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	home := "home/" + developerUser
	if err := root.Mkdir(home, 0o755); err != nil {
		return err
	}
	return root.Chown(home, developerUID, developerUID)
}

func authorize(root *os.Root, home string, uid int, keys []byte) error {
	dir := home + "/.ssh"
	if err := root.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := root.WriteFile(dir+"/authorized_keys", keys, 0o600); err != nil {
		return err
	}
	return chownAll(root, dir, uid)
}

// writeWorkers installs the templates and enables this host's instances.
func (h *Host) writeWorkers(root *os.Root) error {
	const etc = "etc/systemd/system/"
	if err := root.MkdirAll(etc+"multi-user.target.wants", 0o755); err != nil {
		return err
	}
	for _, instance := range instances[h.Role] {
		name, _, _ := strings.Cut(instance, "@")
		template := name + "@.service"
		data, err := files.ReadFile("units/" + template)
		if err != nil {
			return err
		}
		if err := root.WriteFile(etc+template, data, 0o644); err != nil {
			return err
		}
		link := etc + "multi-user.target.wants/" + instance + ".service"
		if err := root.Symlink("/"+etc+template, link); err != nil {
			return fmt.Errorf("cannot enable %s: %w", instance, err)
		}
	}
	return nil
}

// firstRelease puts the work tree's commit there as release 1, as if deployed.
func (h *Host) firstRelease(ctx context.Context, root *os.Root) error {
	www := AppPath[1:]
	for _, dir := range []string{"releases/1", "shared/var", "shared/faults", "shared/queue"} {
		if err := root.MkdirAll(path.Join(www, dir), 0o755); err != nil {
			return err
		}
	}
	revision, err := h.lab.git(ctx, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	if err := h.extractHead(ctx, filepath.Join(h.root, www, "releases/1")); err != nil {
		return err
	}
	if err := root.WriteFile(path.Join(www, "releases/1/REVISION"), []byte(revision+"\n"), 0o644); err != nil {
		return err
	}
	for link, to := range map[string]string{"releases/1/var": "../../shared/var", "current": "releases/1"} {
		if err := root.Symlink(to, path.Join(www, link)); err != nil {
			return err
		}
	}
	for _, queue := range []string{"default", "async", "dmp", "export"} {
		if err := root.MkdirAll(path.Join(www, "shared/queue", queue, "taken"), 0o755); err != nil {
			return err
		}
	}
	return chownAll(root, www, appUID)
}

func (h *Host) extractHead(ctx context.Context, dir string) error {
	archive := exec.CommandContext(ctx, "git", "-C", h.lab.WorkTree(), "archive", "--format=tar", "HEAD")
	data, err := archive.Output()
	if err != nil {
		return fmt.Errorf("cannot read the work tree: %w", err)
	}
	untar := exec.CommandContext(ctx, "tar", "-xf", "-", "-C", dir)
	untar.Stdin = bytes.NewReader(data)
	if out, err := untar.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot make the first release: %w: %s", err, out)
	}
	return nil
}

// chownAll gives a folder of the host and all below to a user; links are not followed.
func chownAll(root *os.Root, dir string, uid int) error {
	return fs.WalkDir(root.FS(), dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(name, uid, uid)
	})
}

// settle brings a booted host into the state that a lab begins with.
func (h *Host) settle(ctx context.Context) error {
	if h.Role != Preprod {
		return nil
	}
	_, err := h.Run(ctx, "systemctl", "stop", Idle+".service")
	return err
}
