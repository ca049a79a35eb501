package release

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// app makes an application's folder with the releases 41 and 42.
func app(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	for _, name := range []string{"41", "42"} {
		if err := os.MkdirAll(filepath.Join(path, "releases", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCurrent(t *testing.T) {
	elsewhere := t.TempDir()
	cases := []struct {
		name   string
		make   func(path string) error
		want   string // release name, or
		refuse string // part of the message
	}{
		{"relative", func(p string) error { return os.Symlink("releases/42", p+"/current") }, "42", ""},
		{"absolute", func(p string) error { return os.Symlink(p+"/releases/41", p+"/current") }, "41", ""},
		{"with dots", func(p string) error { return os.Symlink("./releases/41/../42/", p+"/current") }, "42", ""},
		{"absent", func(string) error { return nil }, "", "no such file"},
		{"folder", func(p string) error { return os.Mkdir(p+"/current", 0o755) }, "", "is no link"},
		{"dangling", func(p string) error { return os.Symlink("releases/43", p+"/current") }, "", "cannot be read"},
		{"releases itself", func(p string) error { return os.Symlink("releases", p+"/current") }, "", "not a folder of"},
		{"deeper", func(p string) error { return os.Symlink("releases/42/public", p+"/current") }, "", "not a folder of"},
		{"outside", func(p string) error { return os.Symlink(elsewhere, p+"/current") }, "", "not a folder of"},
		{"outside and relative", func(p string) error { return os.Symlink("../releases/42", p+"/current") }, "", "not a folder of"},
		{"a neighbour with the same beginning", func(p string) error { return os.Symlink(p+"x/releases/42", p+"/current") }, "", "not a folder of"},
		{"escape sequence", func(p string) error { return os.Symlink("releases/\x1b[2J", p+"/current") }, "", `\x1b`},
		{"release is a link outwards", func(p string) error {
			return errors.Join(os.Symlink(elsewhere, p+"/releases/43"), os.Symlink("releases/43", p+"/current"))
		}, "", "is no folder"},
		{"releases is a link outwards", func(p string) error {
			must(t, os.Mkdir(elsewhere+"/44", 0o755))
			return errors.Join(os.RemoveAll(p+"/releases"), os.Symlink(elsewhere, p+"/releases"),
				os.Symlink("releases/44", p+"/current"))
		}, "", "cannot be read"},
		{"file", func(p string) error {
			return errors.Join(os.WriteFile(p+"/releases/43", nil, 0o644), os.Symlink("releases/43", p+"/current"))
		}, "", "is no folder"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := app(t)
			must(t, c.make(path))
			got, err := Layout{path}.Current()
			if c.refuse != "" {
				checkRefused(t, err, c.refuse)
				return
			}
			must(t, err)
			if got.Name != c.want || got.Path != filepath.Join(path, "releases", c.want) {
				t.Errorf("got %+v", got)
			}
			if age := time.Since(got.Switched); age < 0 || age > time.Minute {
				t.Errorf("switched %s ago", age)
			}
		})
	}
}

func checkRefused(t *testing.T, err error, part string) {
	t.Helper()
	refused, ok := errors.AsType[*proto.Error](err)
	if !ok || refused.Code != proto.CodeRelease || refused.Advice.Text() == "" {
		t.Fatalf("want a release error with a next step, got %#v", err)
	}
	if !strings.Contains(string(refused.Message), part) {
		t.Errorf("message %q does not say %q", refused.Message, part)
	}
	if strings.ContainsAny(string(refused.Message), "\x1b\n") {
		t.Errorf("message %q holds control characters", refused.Message)
	}
}

func TestApplicationFolderThatIsALink(t *testing.T) {
	path := app(t)
	alias := filepath.Join(t.TempDir(), "www")
	must(t, os.Symlink(path, alias))
	must(t, os.Symlink(path+"/releases/42", path+"/current"))
	got, err := Layout{alias}.Current()
	if err != nil || got.Name != "42" {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestNoApplicationFolder(t *testing.T) {
	_, err := Layout{filepath.Join(t.TempDir(), "none")}.Current()
	checkRefused(t, err, "cannot open the application's folder")
}

func TestRevision(t *testing.T) {
	const sha = "64fbfa2d1c0f5f5b1f0f35e8a6c3e1b2a9d8c7e6"
	cases := []struct {
		name string
		make func(file string) error
		want string
	}{
		{"Deployer's", content(sha + "\n"), sha},
		{"no newline", content(sha), sha},
		{"more lines", content("v1.2/rc-1\nother\n"), "v1.2/rc-1"},
		{"none", func(string) error { return nil }, ""},
		{"empty", content(""), ""},
		{"too long", content(strings.Repeat("a", 65)), ""},
		{"long first line", content(strings.Repeat("a", 5000)), ""},
		{"control characters", content("\x1b[31mred\n"), ""},
		{"link outwards", func(f string) error { return os.Symlink("/etc/hostname", f) }, ""},
		{"link inwards", func(f string) error { return os.Symlink("../../current", f) }, ""},
		{"folder", func(f string) error { return os.Mkdir(f, 0o755) }, ""},
		{"pipe", func(f string) error { return syscall.Mkfifo(f, 0o644) }, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := app(t)
			must(t, os.Symlink("releases/42", path+"/current"))
			must(t, c.make(path+"/releases/42/REVISION"))
			got, err := Layout{path}.Current()
			must(t, err)
			if got.Revision != c.want {
				t.Errorf("revision %q, want %q", got.Revision, c.want)
			}
		})
	}
}

func content(text string) func(string) error {
	return func(file string) error { return os.WriteFile(file, []byte(text), 0o644) }
}

func FuzzRevision(f *testing.F) {
	for _, seed := range []string{"", "abc\n", "a b", "\x00", "v1\r\nv2", strings.Repeat("9", 65)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		got := parseRevision(content)
		if got != "" && !revisionForm().MatchString(got) {
			t.Errorf("let %q through", got)
		}
	})
}
