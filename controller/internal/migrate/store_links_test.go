package migrate

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// aside is a folder of the operator's that no receipt may reach.
func aside(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "precious"), []byte("precious\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// only fails unless the folder holds its one file, as it was.
func only(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	data, readErr := os.ReadFile(filepath.Join(dir, "precious"))
	if err != nil || readErr != nil || len(entries) != 1 || string(data) != "precious\n" {
		t.Errorf("the folder elsewhere was changed: %v %v %q", err, entries, data)
	}
}

// TestReceiptsFollowNoLink: neither the folder of receipts nor a name in it leads elsewhere, nor holds rpctl up.
func TestReceiptsFollowNoLink(t *testing.T) {
	signed := proto.Signed{Body: "{}\n", Signature: "sig"}
	const name = "preprod-simulation.json"
	link := func(target func(dir string) string, at ...string) func(*testing.T, store, string) error {
		return func(_ *testing.T, s store, elsewhere string) error {
			path := filepath.Join(append([]string{s.folder}, at...)...)
			return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.Symlink(target(elsewhere), path))
		}
	}
	precious := func(dir string) string { return filepath.Join(dir, "precious") }
	for title, c := range map[string]struct {
		spoil          func(t *testing.T, s store, elsewhere string) error
		writes         bool // and the spoilt name is replaced
		reads          string
		folderIsSpoilt bool
	}{
		"the folder is a link":            {spoil: link(func(dir string) string { return dir }), reads: "is a link", folderIsSpoilt: true},
		"the folder is a link to nothing": {spoil: link(func(dir string) string { return filepath.Join(dir, "none") }), reads: "is a link", folderIsSpoilt: true},
		"the folder is a file":            {spoil: func(_ *testing.T, s store, _ string) error { return os.WriteFile(s.folder, nil, 0o600) }, reads: "is no folder", folderIsSpoilt: true},
		"the folder is a fifo":            {spoil: func(_ *testing.T, s store, _ string) error { return syscall.Mkfifo(s.folder, 0o600) }, reads: "is no folder", folderIsSpoilt: true},
		"a receipt is a link":             {spoil: link(precious, name), writes: true, reads: "is no plain file"},
		"a signature is a link":           {spoil: link(precious, name+".sig"), writes: true, reads: "is no plain file"},
		"a receipt is a link to nothing":  {spoil: link(func(dir string) string { return filepath.Join(dir, "none") }, name), writes: true, reads: "is no plain file"},
		"the README is a link":            {spoil: link(precious, readmeFile), writes: true},
		"a receipt is a link inside":      {spoil: link(func(string) string { return readmeFile }, name), writes: true, reads: "is no plain file"},
		"a receipt is a fifo, which waits": {spoil: func(_ *testing.T, s store, _ string) error {
			return errors.Join(os.Mkdir(s.folder, 0o700), syscall.Mkfifo(s.path(name), 0o600))
		}, writes: true, reads: "is no plain file"},
	} {
		t.Run(title, func(t *testing.T) {
			s, elsewhere := storeOf(filepath.Join(t.TempDir(), "plan.toml")), aside(t)
			if err := c.spoil(t, s, elsewhere); err != nil {
				t.Fatal(err)
			}
			if !c.folderIsSpoilt && c.reads != "" { // what is not spoilt is there
				if _, err := os.Lstat(s.path(name)); errors.Is(err, fs.ErrNotExist) {
					if err := os.WriteFile(s.path(name), []byte("{}\n"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, err := s.read(name, proto.NamespaceSimulation); c.reads != "" && (err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), c.reads)) {
				t.Errorf("read: %v", err)
			}
			_, err := s.write(name, signed)
			if failure := exit.From(err); !c.writes && (failure == nil || failure.Code != exit.LocalFailed || !strings.HasPrefix(failure.Next, "ls -ld ")) {
				t.Errorf("write: %+v", failure)
			}
			if c.writes {
				got, readErr := s.read(name, "")
				if err != nil || readErr != nil || got.Body != signed.Body || got.Signature != signed.Signature {
					t.Errorf("write: %v, then %+v %v", err, got, readErr)
				}
			}
			only(t, elsewhere)
		})
	}
}

// TestReceiptsOfAnotherUser: a folder that another user made is not used, whatever lies in it.
func TestReceiptsOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	s := storeOf(filepath.Join(t.TempDir(), "plan.toml"))
	if err := errors.Join(os.Mkdir(s.folder, 0o755), os.Chown(s.folder, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.write("x.json", proto.Signed{}); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("write: %v", err)
	}
	if _, err := s.read("x.json", ""); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("read: %v", err)
	}
}

// TestNothingTemporaryIsLeft beside a receipt that could not be written.
func TestNothingTemporaryIsLeft(t *testing.T) {
	s := storeOf(filepath.Join(t.TempDir(), "plan.toml"))
	if err := os.MkdirAll(s.path("x.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.put("x.json", "text"); err == nil {
		t.Error("a folder was replaced")
	}
	entries, err := os.ReadDir(s.folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("left: %v %v", entries, err)
	}
}
