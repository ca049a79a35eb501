package setup

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/internal/powercut"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// change is what is done to a host as root.
type change struct {
	before func(f *fakeHost)
	do     func(f *fakeHost) error
}

var changes = map[string]change{
	"install": {before: func(*fakeHost) {}, do: func(f *fakeHost) error { return f.try(later()) }},
	"upgrade": {
		before: func(f *fakeHost) { f.install(preprod()) },
		do: func(f *fakeHost) error {
			f.Agent = binaryOf("agent 2")
			return f.try(later())
		},
	},
	"uninstall": {before: func(f *fakeHost) { f.install(later()) }, do: (*fakeHost).uninstall},
}

// later is a spec that differs from preprod() in agent.toml and in who may use it.
func later() proto.SetupSpec {
	spec := preprod()
	spec.Config.Look = []string{"rpctl", "adm"}
	spec.Operators = append(spec.Operators, "alice")
	return spec
}

func (f *fakeHost) uninstall() error {
	plan, err := NewUninstall(f.t.Context(), f.Host)
	if err != nil {
		return err
	}
	return plan.Apply(f.t.Context())
}

func (f *fakeHost) try(spec proto.SetupSpec) error {
	plan, err := New(f.t.Context(), f.Host, spec)
	if err != nil {
		return err
	}
	return plan.Apply(f.t.Context())
}

// reopened is a fake host on what an earlier one left: who is in passwd(5) there does not get lost.
func reopened(t *testing.T, root string) *fakeHost {
	t.Helper()
	f := newFakeHost(t)
	f.Root = root
	if _, err := os.Stat(f.path(stateDir)); err == nil {
		f.users["rp-agent"], f.groups["rp-agent"], f.groups["rpctl"] = stateDir, nil, []string{"app"}
	}
	_, err := os.Lstat(f.path(socketLink))
	f.active = err == nil
	return f
}

var stage = powercut.Stage{
	Test: "TestScene",
	// What systemd's own tools make is theirs to sync; a lock, a drop-in's empty folder and what is removed in the end
	// may come back.
	Passing: func(name string) bool {
		return strings.HasPrefix(path.Base(name), ".") || "/"+name == lockPath || "/"+name == socketLink || "/"+name == path.Dir(socketLink) ||
			name == "var" || strings.HasPrefix(name, "var/") || strings.HasSuffix(name, ".service.d") || name == "etc/rp-agent"
	},
}

func TestScene(t *testing.T) {
	scenes := map[string]powercut.Scene{}
	for name, c := range changes {
		scenes[name] = func(t *testing.T, root string, told func(string)) error {
			err := c.do(reopened(t, root))
			if err == nil {
				told("done")
			}
			return err
		}
	}
	powercut.Act(t, scenes)
}

// TestStoppedAnywhere stops an install, an upgrade and an uninstall at each system call that writes. Every file is
// then the old one or the new one; the same command finishes the work, and nothing is left over.
func TestStoppedAnywhere(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newFakeHost(t)
			c.before(host)
			before := read(t, host.Root)
			moments := stage.Play(t, name, host.Root)
			r := &stopped{change: c, before: before, after: read(t, host.Root)}
			seen := map[string]bool{}
			for n, moment := range moments {
				for _, disk := range moment.Disks {
					if sum := disk.Tree.Sum(); !seen[sum] {
						seen[sum] = true
						r.check(t, restored(t, disk.Tree), func() { t.Errorf("after a power cut before call %d (%s), with %s", n+1, moment.Call, disk.Name) })
					}
				}
				if n%7 == 0 || os.Getenv("CRASH") == "all" {
					root := restored(t, before)
					stage.Kill(t, name, root, n+1)
					r.check(t, root, func() { t.Errorf("killed at call %d (%s)", n+1, moment.Call) })
				}
			}
			t.Logf("%d calls that write, %d states of the disk", len(moments)-1, len(seen))
		})
	}
}

func read(t *testing.T, root string) powercut.Tree {
	t.Helper()
	tree, err := powercut.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func restored(t *testing.T, tree powercut.Tree) string {
	t.Helper()
	root, err := os.MkdirTemp("/dev/shm", "rpctl-setup-")
	if err != nil {
		root = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	if err := tree.Restore(root); err != nil {
		t.Fatal(err)
	}
	return root
}

type stopped struct {
	change
	before, after powercut.Tree
}

func (r *stopped) check(t *testing.T, root string, where func()) {
	t.Helper()
	bad := false
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf(format, args...)
		bad = true
	}
	is := read(t, root)
	r.whole(is, fail)
	f := reopened(t, root)
	if err := r.do(f); err != nil {
		fail("the same command fails: %v", err)
	}
	done := read(t, root)
	key := "var/lib/rp-agent/receipt_key"
	if had, has := is[key], done[key]; had.Data != "" && had.Data != has.Data {
		fail("the receipt key was made anew")
	}
	if signer, err := ssh.ParsePrivateKey([]byte(done[key].Data)); err != nil ||
		!strings.HasPrefix(done[key+".pub"].Data, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))) {
		fail("the receipt key and its public half are no pair: %v", err)
	}
	for name, want := range r.after {
		if got := done[name]; got.Data != want.Data && !strings.HasPrefix(name, key) {
			fail("%s is %.60q in the end, want %.60q", name, got.Data, want.Data)
		}
	}
	for name := range done {
		if strings.Contains(filepath.Base(name), ".rp-agent-") {
			fail("%s is left over", name)
		}
	}
	if bad {
		where()
	}
}

// whole says that each file that counts is as it was or as it will be.
func (r *stopped) whole(is powercut.Tree, fail func(string, ...any)) {
	for name, entry := range is {
		if entry.Mode&fs.ModeType != 0 || strings.HasPrefix(filepath.Base(name), ".") || strings.HasPrefix(name, "var/lib/rp-agent/receipt_key") {
			continue
		}
		before, was := r.before[name]
		after, will := r.after[name]
		if !(was && entry.Data == before.Data) && !(will && entry.Data == after.Data) {
			fail("%s is neither the old nor the new one: %.60q", name, entry.Data)
		}
	}
	for name := range r.before {
		if _, there := is[name]; !there && r.after[name].Mode != 0 && name != strings.TrimPrefix(systemd.SysusersPath, "/") {
			fail("%s is gone", name)
		}
	}
}
