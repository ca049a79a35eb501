package powercut

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var stage = Stage{Test: "TestScene"}

var scenes = map[string]Scene{
	"careful": func(t *testing.T, root string, told func(string)) error {
		return replace(root, true, told)
	},
	"careless": func(t *testing.T, root string, told func(string)) error {
		return replace(root, false, told)
	},
	"deaf": func(t *testing.T, root string, told func(string)) error {
		must(t, os.WriteFile(filepath.Join(root, "new"), []byte("after"), 0o600))
		file, err := os.Open(filepath.Join(root, "new"))
		must(t, err)
		_ = file.Sync()
		must(t, os.Rename(filepath.Join(root, "new"), filepath.Join(root, "file")))
		_ = syncFolder(root)
		told("after")
		return nil
	},
	"every call": func(t *testing.T, root string, _ func(string)) error {
		must(t, os.Mkdir(filepath.Join(root, "d"), 0o700))
		must(t, os.WriteFile(filepath.Join(root, "d/a"), []byte("a"), 0o600)) // open, write
		must(t, os.Chmod(filepath.Join(root, "d/a"), 0o640))
		must(t, os.Link(filepath.Join(root, "d/a"), filepath.Join(root, "d/b")))
		must(t, os.Symlink("a", filepath.Join(root, "d/c")))
		must(t, os.Truncate(filepath.Join(root, "d/a"), 0))
		must(t, os.Rename(filepath.Join(root, "d/a"), filepath.Join(root, "d/e")))
		must(t, os.Remove(filepath.Join(root, "d/e")))
		below, err := os.OpenRoot(root)
		must(t, err)
		must(t, below.Rename("d/b", "d/f"))
		must(t, below.Remove("d/f"))
		must(t, os.WriteFile(filepath.Join(t.TempDir(), "elsewhere"), []byte("a"), 0o600))
		return nil
	},
	"fails": func(t *testing.T, _ string, _ func(string)) error {
		t.Fatal("it went wrong")
		return nil
	},
	"refuses": func(*testing.T, string, func(string)) error { return errors.New("it was refused") },
}

func TestScene(t *testing.T) { Act(t, scenes) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// replace puts "after" in the place of "before", with the care that it takes or without.
func replace(root string, care bool, told func(string)) error {
	file, err := os.OpenFile(filepath.Join(root, "new"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteString("after"); err != nil {
		return err
	}
	if care {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(filepath.Join(root, "new"), filepath.Join(root, "file"))
	}
	if err == nil && care {
		err = syncFolder(root)
	}
	if err == nil {
		told("after")
	}
	return err
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

func before(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	must(t, os.WriteFile(filepath.Join(root, "file"), []byte("before"), 0o600))
	return root
}

// found is all contents of the file that a disk may have, with what was promised.
func found(moments []Moment) (all []string) {
	for _, m := range moments {
		for _, d := range m.Disks {
			text := strings.Join(append(slices.Clone(m.Told), d.Tree["file"].Data), ":")
			if !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	slices.Sort(all)
	return all
}

func TestCareIsSeen(t *testing.T) {
	r, err := stage.record("careful", before(t))
	if err != nil || len(r.problems) > 0 {
		t.Fatalf("%v, %v", r.problems, err)
	}
	if got := found(r.moments); !slices.Equal(got, []string{"after", "after:after", "before"}) {
		t.Errorf("found %q", got)
	}
	r, err = stage.record("careless", before(t))
	if err != nil || len(r.problems) != 2 {
		t.Fatalf("%q, %v", r.problems, err)
	}
	got := found(r.moments)
	for _, want := range []string{"after:before", "after:", "after:aft", "after:\x00\x00\x00\x00\x00"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
}

func TestEveryCallIsSeen(t *testing.T) {
	r, err := stage.record("every call", t.TempDir())
	must(t, err)
	var got []string
	for _, m := range r.moments {
		got = append(got, m.Call)
	}
	want := []string{"mkdir d", "open d/a", "write d/a", "chmod d/a", "link d/a → d/b", "symlink d/c", "truncate d/a", "rename d/a → d/e",
		"unlink d/e", "rename d/b → d/f", "unlink d/f", "the end"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestKilledAtEachCall(t *testing.T) {
	for n := 1; ; n++ {
		root := before(t)
		told, killed := stage.Kill(t, "careful", root, n)
		data, err := os.ReadFile(filepath.Join(root, "file"))
		must(t, err)
		if want := map[bool]string{true: "before", false: "after"}[n <= 4]; string(data) != want {
			t.Errorf("call %d: %q, want %q", n, data, want)
		}
		if !killed {
			if n != 6 || !slices.Equal(told, []string{"after"}) {
				t.Errorf("%d calls, told %q", n-1, told)
			}
			return
		}
		if len(told) > 0 {
			t.Errorf("call %d: told %q", n, told)
		}
	}
}

func TestSceneThatFails(t *testing.T) {
	for scene, want := range map[string]string{"fails": "it went wrong", "refuses": "it was refused"} {
		if _, err := stage.record(scene, t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Error(err)
		}
	}
}

func TestRestore(t *testing.T) {
	root := filepath.Join(t.TempDir(), "new")
	tree := Tree{"d": {Mode: os.ModeDir | 0o750}, "d/f": {Mode: 0o640, Data: "x"}, "l": {Mode: os.ModeSymlink | 0o777, Link: "d"}}
	must(t, tree.Restore(root))
	d, err := newDisk(root)
	must(t, err)
	live, _, err := d.live()
	if err != nil || len(tree.less(live)) > 0 || len(live.less(tree)) > 0 {
		t.Errorf("%v, %v", live, err)
	}
}
