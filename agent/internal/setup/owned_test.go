package setup

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/re-connect/rpctl/proto"
)

const (
	testKey  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAwH91nWCN/iXzoFTD60uwp4XLinlihppl5boDxvRwT2 ci"
	otherKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHgjDoqMIFi/5KPHc9hA0aTHC1Vc9kR2aQfgL3VvZ0Pj alice"
	keysFile = "/home/app/.ssh/authorized_keys"
)

func forced() proto.SetupSpec {
	spec := preprod()
	spec.ForcedKey = &proto.ForcedKey{User: "app", PublicKey: testKey}
	return spec
}

func TestForcedKeyIsAddedOnce(t *testing.T) {
	for name, there := range map[string]string{"no file": "", "other keys": otherKey + "\n", "no newline at the end": otherKey} {
		t.Run(name, func(t *testing.T) {
			f := newFakeHost(t)
			if there != "" {
				f.write(keysFile, there)
			}
			f.install(forced())
			want := ForcedCommand + testKey + "\n"
			if there != "" {
				want = otherKey + "\n" + want
			}
			if got := f.read(keysFile); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if info, err := os.Stat(f.path(keysFile)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
			if again := f.install(forced()); len(again) != 0 {
				t.Errorf("twice in a row changes %q", again)
			}
			if _, _, options, _, err := ssh.ParseAuthorizedKey([]byte(want[strings.Index(want, ForcedCommand):])); err != nil || len(options) != 2 {
				t.Errorf("sshd reads the options %q, %v", options, err)
			}
		})
	}
}

func TestForcedKeyOfAnOlderSetupGetsTheWholePath(t *testing.T) {
	old := pathlessCommand + testKey + "\n"
	for name, there := range map[string]string{"alone": old, "among others": otherKey + "\n" + old, "beside the new one": old + ForcedCommand + testKey + "\n"} {
		f := newFakeHost(t)
		f.write(keysFile, there)
		f.install(forced())
		got := f.read(keysFile)
		if strings.Contains(got, pathlessCommand) || strings.Count(got, ForcedCommand+testKey+"\n") != 1 || strings.Contains(there, otherKey) != strings.Contains(got, otherKey) {
			t.Errorf("%s: %q", name, got)
		}
		if again := f.install(forced()); len(again) != 0 {
			t.Errorf("%s: twice in a row changes %q", name, again)
		}
	}
}

// A user may make anything of his own home; root must neither follow it nor copy what it leads to.
func TestForcedKeyIsNotLedAstray(t *testing.T) {
	for name, c := range map[string]struct {
		bend func(f *fakeHost)
		says string
	}{
		"keys are a link": {func(f *fakeHost) {
			f.mkdir("/home/app/.ssh")
			f.must(os.Symlink(f.path("/etc/shadow"), f.path(keysFile)))
		}, "no plain file"},
		"keys are a link inside of the home": {func(f *fakeHost) {
			f.mkdir("/home/app/.ssh")
			f.write("/home/app/.ssh/other", "x")
			f.must(os.Symlink("other", f.path(keysFile)))
		}, "no plain file"},
		"keys have a second name": {func(f *fakeHost) {
			f.mkdir("/home/app/.ssh")
			f.must(os.Link(f.path("/etc/shadow"), f.path(keysFile)))
		}, "2 names"},
		"keys are a FIFO": {func(f *fakeHost) {
			f.mkdir("/home/app/.ssh")
			f.must(unix.Mkfifo(f.path(keysFile), 0o600))
		}, "no plain file"},
		".ssh is a link":      {func(f *fakeHost) { f.must(os.Symlink(f.path("/etc"), f.path("/home/app/.ssh"))) }, "is no folder"},
		".ssh is a file":      {func(f *fakeHost) { f.write("/home/app/.ssh", "x") }, "is no folder"},
		"the key can do more": {func(f *fakeHost) { f.write(keysFile, testKey+"\n") }, "do more than talk"},
		"the key can do more, with options": {func(f *fakeHost) {
			f.write(keysFile, `no-pty `+testKey+"\n"+ForcedCommand+testKey+"\n")
		}, "do more than talk"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeHost(t)
			f.write("/etc/shadow", "root:secret")
			c.bend(f)
			before := f.tree()
			if _, err := New(t.Context(), f.Host, forced()); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			checkTree(t, before, f.tree())
		})
	}
}

// The link is put there between the look and the change.
func TestForcedKeyIsLookedAtAgain(t *testing.T) {
	f := newFakeHost(t)
	f.write("/etc/shadow", "root:secret")
	plan, err := New(t.Context(), f.Host, forced())
	if err != nil {
		t.Fatal(err)
	}
	f.must(os.Symlink(f.path("/etc"), f.path("/home/app/.ssh")))
	if plan.Apply(t.Context()) == nil {
		t.Error("the link was followed")
	}
	if got := f.read("/etc/authorized_keys"); got != "(missing)" {
		t.Errorf("root wrote %q where the link leads", got)
	}
}

func TestReceiptKeyIsMadeOnceAndNeverTouched(t *testing.T) {
	f := newFakeHost(t)
	f.install(preprod())
	key := f.read("/var/lib/rp-agent/receipt_key")
	if _, err := ssh.ParsePrivateKey([]byte(key)); err != nil {
		t.Fatal(err)
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(f.read("/var/lib/rp-agent/receipt_key.pub")))
	if err != nil || public.Type() != ssh.KeyAlgoED25519 {
		t.Errorf("%v, %v", public, err)
	}
	if info, err := os.Stat(f.path("/var/lib/rp-agent/receipt_key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	f.Agent = binaryOf("agent 2")
	f.install(preprod())
	if f.read("/var/lib/rp-agent/receipt_key") != key {
		t.Error("an upgrade made a new key: old receipts could not be checked any more")
	}
}

// rp-agent owns the folder, so a taken-over agent may leave links for root to follow.
func TestReceiptKeyIsNotLedAstray(t *testing.T) {
	f := newFakeHost(t)
	f.write("/etc/shadow", "root:secret")
	f.makeFolders()
	for _, name := range []string{".receipt_key.rp-agent-new", ".receipt_key.pub.rp-agent-new", "receipt_key.pub"} {
		f.must(os.Symlink(f.path("/etc/shadow"), f.path("/var/lib/rp-agent/"+name)))
	}
	f.install(preprod())
	if got := f.read("/etc/shadow"); got != "root:secret" {
		t.Errorf("root wrote through a link: %q", got)
	}
	if info, err := os.Lstat(f.path("/var/lib/rp-agent/receipt_key.pub")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v", info, err)
	}
	f.must(os.Remove(f.path("/var/lib/rp-agent/receipt_key")))
	f.must(os.Symlink("/nowhere", f.path("/var/lib/rp-agent/receipt_key")))
	if got := f.install(preprod()); len(got) != 0 {
		t.Errorf("a key that is a link is somebody's doing, not ours to replace: %q", got)
	}
}
