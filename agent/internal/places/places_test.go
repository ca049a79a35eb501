package places

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestTake(t *testing.T) {
	state := t.TempDir()
	var all []func()
	for range Max {
		free, err := Take(state, 1000)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, free)
	}
	if _, err := Take(state, 1000); !errors.Is(err, ErrFull) {
		t.Errorf("one more than %d: %v", Max, err)
	}
	for _, other := range []uint32{1001, 100, 0, 0} {
		if _, err := Take(state, other); err != nil {
			t.Errorf("user %d has no place: %v", other, err)
		}
	}
	all[7]()
	if _, err := Take(state, 1000); err != nil {
		t.Errorf("the place that was given back: %v", err)
	}
	if _, err := Take(state, 1000); !errors.Is(err, ErrFull) {
		t.Errorf("and once more: %v", err)
	}
	readOnly := filepath.Join(state, "file")
	if err := os.WriteFile(readOnly, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(readOnly, 1000); err == nil || errors.Is(err, ErrFull) {
		t.Errorf("where nothing can be written: %v", err)
	}
}
