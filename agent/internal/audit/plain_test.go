package audit

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

// TestOnlyAPlainFile: evidence goes into no link's target, and nobody waits for a pipe.
func TestOnlyAPlainFile(t *testing.T) {
	for name, plant := range map[string]func(path, target string) error{
		"a link":    func(path, target string) error { return os.Symlink(target, path) },
		"no target": func(path, target string) error { return os.Symlink(target+".missing", path) },
		"a pipe":    func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder":  func(path, _ string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, target := t.TempDir(), filepath.Join(t.TempDir(), "target")
			if err := os.WriteFile(target, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := plant(filepath.Join(dir, fileName), target); err != nil {
				t.Fatal(err)
			}
			if _, err := New(dir).Append(proto.AuditEntry{Action: ActionLease, User: "x"}); err == nil {
				t.Error("an entry was written")
			}
			if _, err := New(dir).Verify(); err == nil {
				t.Error("it was read")
			}
			if content, err := os.ReadFile(target); err != nil || string(content) != "mine" {
				t.Errorf("the target is %q, %v", content, err)
			}
		})
	}
}
