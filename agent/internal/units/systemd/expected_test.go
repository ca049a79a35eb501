package systemd

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestEnabled(t *testing.T) {
	root := t.TempDir()
	link := func(path, target string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	const template = "/etc/systemd/system/worker@.service"
	link("etc/multi-user.target.wants/worker@1.service", template)
	link("etc/multi-user.target.wants/worker@gone.service", os.DevNull) // takes away what a package enabled
	link("etc/multi-user.target.wants/other@1.service", template)
	link("etc/multi-user.target.wants/worker@.service", template)
	link("etc/multi-user.target.wants/worker@odd:name.service", template)
	link("etc/elsewhere/worker@2.service", template)
	link("etc/worker@3.service", template)
	link("usr/multi-user.target.wants/worker@gone.service", template)
	link("usr/multi-user.target.wants/worker@1.service", template)
	link("usr/app.target.requires/worker@4.service", template)
	if err := os.WriteFile(filepath.Join(root, "usr/app.target.requires/worker@file.service"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "usr/file.wants"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	folders := []string{filepath.Join(root, "etc"), filepath.Join(root, "absent"), filepath.Join(root, "usr")}
	if err := enabled(folders, "worker@*.service", found); err != nil {
		t.Fatal(err)
	}
	want := []string{"worker@1.service", "worker@4.service"}
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
		t.Errorf("enabled: %q, want %q", got, want)
	}
}
