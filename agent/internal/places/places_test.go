package places

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// fill takes n places, which must be of this kind.
func fill(t *testing.T, state string, uid uint32, n int, reserved bool) []Place {
	t.Helper()
	var all []Place
	for range n {
		place, err := Take(state, uid)
		if err != nil || place.Reserved != reserved {
			t.Fatalf("user %d, place %d: reserved %t, %v", uid, len(all), place.Reserved, err)
		}
		t.Cleanup(place.Free) // and no sooner: a lock that nothing refers to is freed by the garbage collector
		all = append(all, place)
	}
	return all
}

func refused(t *testing.T, state string, uid uint32) {
	t.Helper()
	if _, err := Take(state, uid); !errors.Is(err, ErrFull) {
		t.Errorf("user %d: %v, want no place", uid, err)
	}
}

// TestOneUserTakesAll: others are served as before, the user itself may still cancel a job, and root always is.
func TestOneUserTakesAll(t *testing.T) {
	state := t.TempDir()
	all := fill(t, state, 1000, Max, false)
	reserved := fill(t, state, 1000, reserve, true)
	refused(t, state, 1000)
	fill(t, state, 1001, 5, false)
	fill(t, state, 100, 5, false)
	fill(t, state, 0, 200, false)
	reserved[0].Free()
	fill(t, state, 1000, 1, true)
	all[7].Free()
	fill(t, state, 1000, 1, false)
	refused(t, state, 1000)
}

// TestManyUsersTakeAll: one that comes later may still cancel a job, and root is served.
func TestManyUsersTakeAll(t *testing.T) {
	state := t.TempDir()
	for uid := range uint32(maxAll / Max) {
		fill(t, state, 1000+uid, Max, false)
	}
	fill(t, state, 2000, reserve, true)
	refused(t, state, 2000)
	for uid := range uint32(reserveAll/reserve - 1) {
		fill(t, state, 3000+uid, reserve, true)
	}
	refused(t, state, 4000)
	fill(t, state, 0, 10, false)
}

// TestWherePlacesCannotBeCounted it is an error of its own, which refuses nobody.
func TestWherePlacesCannotBeCounted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(file, 1000); err == nil || errors.Is(err, ErrFull) {
		t.Errorf("where nothing can be written: %v", err)
	}
}
