package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// fakeHost is a host in a temporary folder whose tools do to it what the real ones do.
// Every name stands for the user who runs the test: a test cannot give files away.
type fakeHost struct {
	*Host
	t       *testing.T
	users   map[string]string   // name to home
	groups  map[string][]string // name to members
	ran     []string
	fail    string // the command that fails, by its beginning
	active  bool   // the socket
	entered string // since when, as systemctl shows it
	stale   string // NeedDaemonReload
	ssh     bool
}

func newFakeHost(t *testing.T) *fakeHost {
	t.Helper()
	f := &fakeHost{
		t:      t,
		users:  map[string]string{"root": "/root", "app": "/home/app", "alice": "/home/alice"},
		groups: map[string][]string{"root": nil},
		stale:  "no", ssh: true,
	}
	f.Host = &Host{Root: t.TempDir(), Commands: f, Agent: binaryOf("agent 1"), Version: "1"}
	for _, folder := range []string{"/run", "/home/app", "/home/alice", "/etc/polkit-1/rules.d", "/etc/ssh/sshd_config.d", "/usr/lib/systemd/system"} {
		f.mkdir(folder)
	}
	f.write("/usr/lib/systemd/system/messenger_worker_async@.service", "[Service]\nUser=app\n")
	return f
}

func binaryOf(content string) func() (io.ReadCloser, error) { return fromBytes([]byte(content)) }

func (f *fakeHost) Run(_ context.Context, name string, args ...string) (string, error) {
	line := strings.Join(append([]string{name}, args...), " ")
	f.ran = append(f.ran, line)
	if f.fail != "" && strings.HasPrefix(line, f.fail) {
		return "", &ExitError{line, 1, "no space left\x1b[2J"}
	}
	switch name {
	case "getent":
		return f.getent(line, args[0], args[1])
	case "systemd-sysusers":
		f.users["rp-agent"], f.groups["rp-agent"], f.groups["rpctl"] = "/var/lib/rp-agent", nil, nil
	case "systemd-tmpfiles":
		f.makeFolders()
	case "gpasswd":
		f.gpasswd(args)
	case systemd.Binary:
		version, _, _ := strings.Cut(f.read(systemd.Binary), "\n")
		return "rp-" + version + " (protocol 1 to 1)\n", nil
	case "systemctl":
		return f.systemctl(args), nil
	}
	return "", nil
}

func (f *fakeHost) getent(line, database, name string) (string, error) {
	home, user := f.users[name]
	members, group := f.groups[name]
	switch {
	case database == "passwd" && user:
		return fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\n", name, os.Getuid(), os.Getgid(), home), nil
	case database == "group" && group:
		return fmt.Sprintf("%s:x:%d:%s\n", name, os.Getgid(), strings.Join(members, ",")), nil
	default:
		return "", &ExitError{line, 2, ""}
	}
}

func (f *fakeHost) makeFolders() {
	for _, folder := range systemd.Folders {
		f.mkdir(folder.Path)
		f.must(os.Chmod(f.path(folder.Path), folder.Mode))
	}
}

func (f *fakeHost) gpasswd(args []string) {
	user, group := args[1], args[2]
	f.groups[group] = slices.DeleteFunc(f.groups[group], func(member string) bool { return member == user })
	if args[0] == "-a" {
		f.groups[group] = append(f.groups[group], user)
	}
}

func (f *fakeHost) systemctl(args []string) string {
	switch args[0] {
	case "show":
		unit := args[len(args)-1]
		if strings.Contains(args[len(args)-2], "=Id,") {
			return f.identityOf(unit)
		}
		if unit == "ssh.service" {
			return fmt.Sprintf("ActiveState=%s\n", state(f.ssh))
		}
		return fmt.Sprintf("ActiveState=%s\nNeedDaemonReload=%s\nActiveEnterTimestamp=%s\n", state(f.active), f.stale, f.entered)
	case "daemon-reload":
		f.stale = "no"
	case "enable":
		f.mkdir(filepath.Dir(socketLink))
		f.must(os.Symlink("../"+systemd.Socket, f.path(socketLink)))
	case "disable":
		f.active = false
		if err := os.Remove(f.path(socketLink)); !errors.Is(err, fs.ErrNotExist) {
			f.must(err)
		}
	case "restart":
		f.active, f.entered = true, "@4102444800"
	}
	return ""
}

// identityOf is what a unit's file says of it; an alias is a link to the file of another unit.
func (f *fakeHost) identityOf(unit string) string {
	file := proto.UnitPattern(unit).Template()
	full := f.path("/usr/lib/systemd/system/" + file)
	content, err := os.ReadFile(full)
	if err != nil {
		return "LoadState=not-found\n"
	}
	if link, err := os.Readlink(full); err == nil {
		unit = filepath.Base(link)
	}
	return "Id=" + unit + "\nLoadState=loaded\n" + string(content)
}

func state(active bool) string {
	if active {
		return "active"
	}
	return "inactive"
}

func (f *fakeHost) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fakeHost) mkdir(name string) {
	f.t.Helper()
	f.must(os.MkdirAll(f.path(name), 0o755))
}

func (f *fakeHost) write(name, content string) {
	f.t.Helper()
	f.mkdir(filepath.Dir(name))
	f.must(os.WriteFile(f.path(name), []byte(content), 0o644))
}

func (f *fakeHost) read(name string) string {
	f.t.Helper()
	content, err := os.ReadFile(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "(missing)"
	}
	f.must(err)
	return string(content)
}

// tree is everything that is on the host but the lock, for comparison.
func (f *fakeHost) tree() map[string]string {
	f.t.Helper()
	tree := map[string]string{}
	f.must(filepath.WalkDir(f.Root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == f.path(lockPath) {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content := ""
		if entry.Type().IsRegular() {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			content = string(data)
		}
		tree[strings.TrimPrefix(name, f.Root)] = info.Mode().String() + content
		return nil
	}))
	return tree
}

func preprod() proto.SetupSpec {
	return proto.SetupSpec{
		Config: proto.HostConfig{
			Environment: "preprod",
			Application: proto.Application{Path: "/home/app/www", User: "app"},
			Workers:     []proto.UnitPattern{"messenger_worker_async@*.service", "messenger_worker_dmp@*.service"},
			Look:        []string{"rpctl"}, Act: []string{"rpctl"},
		},
		Operators: []string{"app"},
	}
}

// install sets the host up and returns what was changed.
func (f *fakeHost) install(spec proto.SetupSpec) []string {
	f.t.Helper()
	plan, err := New(f.t.Context(), f.Host, spec)
	f.must(err)
	f.must(plan.Apply(f.t.Context()))
	return targets(plan)
}

func targets(plan *Plan) []string {
	var all []string
	for _, change := range plan.Report().Changes {
		all = append(all, change.Action+" "+change.Target)
	}
	return all
}
