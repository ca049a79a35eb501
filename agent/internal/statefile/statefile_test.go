package statefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/re-connect/rpctl/proto"
)

type thing struct {
	Name string `json:"name"`
}

func TestWrittenIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	if err := Write(path, 3, thing{"x"}, 0o640); err != nil {
		t.Fatal(err)
	}
	var got thing
	if err := Read(path, 3, &got); err != nil || got.Name != "x" {
		t.Errorf("%+v, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Dir(path) + "/.*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestReadRefuses(t *testing.T) {
	doctor := proto.Advice{Code: proto.AdviceHostDoctor}
	for name, c := range map[string]struct {
		text, want string
		next       proto.Advice
	}{
		"newer":         {`{"version":4,"content":{"name":"x"}}`, "newer rp-agent (version 4", Upgrade},
		"no version":    {`{"content":{"name":"x"}}`, "no version", doctor},
		"cut off":       {`{"version":3,"cont`, "damaged", doctor},
		"empty":         {``, "damaged", doctor},
		"unknown field": {`{"version":3,"content":{"name":"x","more":1}}`, `newer rp-agent, or is damaged: json: unknown field "more"`, Upgrade},
		"no content":    {`{"version":3}`, "damaged", doctor},
		"too long":      {strings.Repeat(" ", maxFile+1), "longer than", doctor},
	} {
		path := filepath.Join(t.TempDir(), "a.json")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Read(path, 3, &thing{})
		var refused *proto.Error
		if !errors.As(err, &refused) || refused.Code != proto.CodeStorage || !strings.Contains(err.Error(), c.want) || refused.Advice != c.next {
			t.Errorf("%s: %#v", name, err)
		}
	}
	if err := Read(filepath.Join(t.TempDir(), "none"), 3, &thing{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

// TestLeftBehindIsSwept: what a killed writer left is removed by the next; what is being written is not.
func TestLeftBehindIsSwept(t *testing.T) {
	folder := t.TempDir()
	alive, err := stage(folder, "alive.json", lockTemporary)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	old := time.Now().Add(-2 * unlockedAge)
	for name, age := range map[string]time.Time{
		".dead.json.123": time.Now(), ".older-agent.json123": old,
		".upgrading.json123": time.Now(), ".somebody-elses": old, "receipt.json.123": old,
	} {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, age, age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Write(filepath.Join(folder, "a.json"), 1, thing{"x"}, 0o600); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	want := []string{filepath.Base(alive.Name()), ".somebody-elses", ".upgrading.json123", "a.json", "receipt.json.123"}
	if !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
}

// TestWhatCannotBeLockedIsAnError: another try would find the same, for ever. One that was swept is tried again.
func TestWhatCannotBeLockedIsAnError(t *testing.T) {
	folder := t.TempDir()
	for _, why := range []error{unix.ENOLCK, unix.ENOSYS, unix.EIO} {
		tries := 0
		_, err := stage(folder, "a.json", func(*os.File) error {
			if tries++; tries > 1 {
				t.Fatal("it is tried again")
			}
			return why
		})
		if !errors.Is(err, why) {
			t.Errorf("%v, want %v", err, why)
		}
	}
	tries := 0
	file, err := stage(folder, "a.json", func(file *os.File) error {
		tries++
		switch tries {
		case 1: // a sweep has removed it
			if err := os.Remove(file.Name()); err != nil {
				t.Error(err)
			}
		case 2: // a sweep holds it
			holder, err := os.Open(file.Name())
			if err != nil {
				t.Fatal(err)
			}
			defer holder.Close()
			if err := lockTemporary(holder); err != nil {
				t.Fatal(err)
			}
		}
		return lockTemporary(file)
	})
	if err != nil || tries != 3 {
		t.Fatalf("%d tries, %v", tries, err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
	if err := lockTemporary(file); err == nil || errors.Is(err, errSwept) {
		t.Errorf("a closed file: %v", err)
	}
}

// TestManyWriters: several write the same file at once, and none fails for it.
func TestManyWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 20 {
				if err := Write(path, 1, thing{strings.Repeat("x", i)}, 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"content":{"name":"x"}}`))
	f.Add([]byte(`{"version":2,"content":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got thing
		if err := Decode(data, 1, &got); err != nil && got.Name != "" && strings.Contains(err.Error(), "newer") {
			t.Errorf("%q: half understood", data)
		}
	})
}
