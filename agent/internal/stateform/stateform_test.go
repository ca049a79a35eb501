package stateform

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/statefile"
	"github.com/re-connect/rpctl/proto"
)

func TestOlderFolderIsBroughtHere(t *testing.T) {
	folder := t.TempDir()
	plan := filepath.Join(folder, "plans", "digest")
	left := filepath.Join(plan, ".simulation.json123456")
	long := time.Now().Add(-24 * time.Hour)
	if err := errors.Join(os.MkdirAll(plan, 0o700), os.WriteFile(left, []byte("half"), 0o600), os.Chtimes(left, long, long)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Bring(t.Context(), folder); err != nil {
			t.Fatal(err)
		}
		if number, err := Look(folder); err != nil || number != Latest() {
			t.Errorf("form %d, %v", number, err)
		}
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what an older agent left: %v", err)
	}
}

// TestNewerFolderIsRefused: by an agent that must then change nothing in it.
func TestNewerFolderIsRefused(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, fileName)
	for name, write := range map[string]func() error{
		"form":    func() error { return statefile.Write(path, fileVersion, form{Latest() + 1, "v9.9\x1b[2J"}, 0o600) },
		"file":    func() error { return statefile.Write(path, fileVersion+1, form{Latest(), ""}, 0o600) },
		"damaged": func() error { return os.WriteFile(path, []byte("{"), 0o600) },
		"below 0": func() error { return statefile.Write(path, fileVersion, form{-1, ""}, 0o600) },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		err := Bring(t.Context(), folder)
		var refused *proto.Error
		if !errors.As(err, &refused) || refused.Code != proto.CodeStorage || refused.Advice.Text() == "" || strings.Contains(string(refused.Message), "\x1b") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "form" && (!strings.Contains(string(refused.Message), "newer rp-agent") || !strings.Contains(string(refused.Message), "rpctl agent upgrade")) {
			t.Errorf("%s; next: %s", refused.Message, refused.Advice.Text())
		}
		want := "df -h " + folder // and not the doctor, whose greeting ends with this refusal
		if name == "form" || name == "file" {
			want = "rpctl agent upgrade"
		}
		if refused.Advice.Text() != want {
			t.Errorf("%s: next: %s, want %s", name, refused.Advice.Text(), want)
		}
		if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
			t.Errorf("%s: it left %v, %v", name, entries, err)
		}
	}
}

// TestDiskThatRefuses: with an older form that this agent can do without, it goes on; else it says why not.
func TestDiskThatRefuses(t *testing.T) {
	fails := func(string) error { return errors.New("no space left on device") }
	for _, light := range []bool{true, false} {
		folder := t.TempDir()
		err := bring(t.Context(), folder, []step{{what: "nothing", do: func(string) error { return nil }}, {what: "much", do: fails, light: light}})
		if (err == nil) != light {
			t.Errorf("light %v: %v", light, err)
		}
		if !light && !strings.Contains(err.Error(), "form 2 (much): no space left") {
			t.Error(err)
		}
	}
}

func TestOneAtATime(t *testing.T) {
	folder, at, most := t.TempDir(), make(chan int, 8), 0
	count := func(string) error { at <- 1; return nil }
	done := make(chan error)
	for range 8 {
		go func() { done <- bring(t.Context(), folder, []step{{what: "once", do: count}}) }()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for close(at); len(at) > 0; most++ {
		<-at
	}
	if most != 1 {
		t.Errorf("the step was taken %d times", most)
	}
}
