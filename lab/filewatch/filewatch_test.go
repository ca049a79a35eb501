package filewatch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWait(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	looks := make(chan struct{}, 100)
	says := func(text string) func() bool {
		return func() bool {
			data, _ := os.ReadFile(file)
			looks <- struct{}{}
			return string(data) == text
		}
	}
	for name, c := range map[string]struct {
		change func() error
		done   func() bool
	}{
		"a file is made": {func() error { return os.WriteFile(file, []byte("a"), 0o644) }, says("a")},
		"a file is renamed": {func() error {
			return errors.Join(os.WriteFile(file+".new", []byte("b"), 0o644), os.Rename(file+".new", file))
		}, says("b")},
		"a file is removed": {func() error { return os.RemoveAll(file) }, func() bool {
			_, err := os.Stat(file)
			looks <- struct{}{}
			return err != nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "a file is removed" {
				if err := os.WriteFile(file, nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			ended := make(chan error, 1)
			go func() { ended <- Wait(t.Context(), dir, c.done) }()
			<-looks // the first one is in vain
			if err := c.change(); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			for len(looks) > 0 {
				<-looks
			}
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := Wait(ctx, t.TempDir(), func() bool { return false }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := Wait(t.Context(), filepath.Join(t.TempDir(), "none"), func() bool { return true }); err == nil {
		t.Error("a folder that is not there is watched")
	}
}
