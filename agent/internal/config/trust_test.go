package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// host makes etc/rp-agent/agent.toml in a temporary folder, believed when it belongs to who runs the test.
func host(t *testing.T) (by trust, folder, file string) {
	t.Helper()
	top := t.TempDir()
	folder = filepath.Join(top, "etc", "rp-agent")
	file = filepath.Join(folder, "agent.toml")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(good), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Dir(folder), folder} {
		must(t, os.Chmod(name, 0o755))
	}
	must(t, os.Chmod(file, 0o644))
	return trust{owner: uint32(os.Geteuid()), top: top}, folder, file
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLoadBelieves(t *testing.T) {
	by, _, file := host(t)
	got, err := load(file, by)
	if err != nil || !reflect.DeepEqual(got, wanted()) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestLoadDoubts(t *testing.T) {
	tests := map[string]struct {
		change func(t *testing.T, by *trust, folder, file string)
		want   string
	}{
		"file of another":      {func(_ *testing.T, by *trust, _, _ string) { by.owner++ }, "belongs to uid"},
		"file for the group":   {func(t *testing.T, _ *trust, _, file string) { must(t, os.Chmod(file, 0o664)) }, "agent.toml can be written by others than root (mode 0664)"},
		"file for all":         {func(t *testing.T, _ *trust, _, file string) { must(t, os.Chmod(file, 0o646)) }, "agent.toml can be written by others than root (mode 0646)"},
		"folder for the group": {func(t *testing.T, _ *trust, folder, _ string) { must(t, os.Chmod(folder, 0o775)) }, "rp-agent can be written by others than root (mode 0775)"},
		"folder above for all": {func(t *testing.T, _ *trust, folder, _ string) { must(t, os.Chmod(filepath.Dir(folder), 0o777)) }, "etc can be written by others than root (mode 0777)"},
		"sticky is no excuse":  {func(t *testing.T, _ *trust, folder, _ string) { must(t, os.Chmod(folder, 0o777|os.ModeSticky)) }, "mode 1777"},
		"file is a link":       {func(t *testing.T, _ *trust, folder, file string) { relink(t, file) }, "agent.toml is a link"},
		"folder is a link":     {func(t *testing.T, _ *trust, folder, _ string) { relink(t, folder) }, "rp-agent is a link"},
		"file is a FIFO": {func(t *testing.T, _ *trust, _, file string) {
			must(t, os.Remove(file))
			must(t, unix.Mkfifo(file, 0o644))
		}, "is no regular file"},
		"file is a folder":    {func(t *testing.T, _ *trust, _, file string) { must(t, os.Remove(file)); must(t, os.Mkdir(file, 0o755)) }, "is no regular file"},
		"file is not there":   {func(t *testing.T, _ *trust, _, file string) { must(t, os.Remove(file)) }, "agent.toml is not there"},
		"folder is not there": {func(t *testing.T, _ *trust, folder, _ string) { must(t, os.RemoveAll(folder)) }, "is not there"},
		"folder is a file": {func(t *testing.T, _ *trust, folder, file string) {
			must(t, os.RemoveAll(folder))
			must(t, os.WriteFile(folder, nil, 0o644))
		}, "cannot open"},
		"what is inside matters": {func(t *testing.T, _ *trust, _, file string) { must(t, os.WriteFile(file, []byte("x = 1"), 0o644)) }, "agent.toml:1:1: unknown key `x`"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			by, folder, file := host(t)
			test.change(t, &by, folder, file)
			checkRefused(t, test.want, func() error { _, err := load(file, by); return err })
		})
	}
}

// relink puts a link to name's old content in its place.
func relink(t *testing.T, name string) {
	t.Helper()
	must(t, os.Rename(name, name+".real"))
	must(t, os.Symlink(name+".real", name))
}

func TestLoadWantsACleanPath(t *testing.T) {
	for _, name := range []string{"agent.toml", "/etc/../etc/rp-agent/agent.toml", "/etc/rp-agent/", ""} {
		checkRefused(t, "want an absolute, clean path", func() error { _, err := Load(name); return err })
	}
}

// The real entry begins at / and believes root alone: a temporary folder is below /tmp, where everybody writes.
func TestLoadBeginsAtTheTop(t *testing.T) {
	_, _, file := host(t)
	if !strings.HasPrefix(file, "/tmp/") {
		t.Skip("the temporary folder is not below /tmp")
	}
	checkRefused(t, "may not be believed: /tmp can be written by others than root", func() error { _, err := Load(file); return err })
}
