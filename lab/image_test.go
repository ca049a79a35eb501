package lab

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestDropOldImages: what nobody used for long goes; what is being built stays, however old it looks.
func TestDropOldImages(t *testing.T) {
	cache := t.TempDir()
	old := time.Now().Add(-2 * unusedFor)
	for name, changed := range map[string]time.Time{
		"locks": old, "bookworm-old": old, "bookworm-new": time.Now(), "trixie-broken.partial": old, "trixie-built.partial": old,
	} {
		dir := filepath.Join(cache, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	building := imageLock(cache, "trixie-built")
	if err := building.Lock(); err != nil {
		t.Fatal(err)
	}
	defer building.Unlock()
	if err := dropOldImages(cache); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{"bookworm-new", "locks", "trixie-built.partial"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}
