package powercut

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// Moment is when a scene is about to make a call that writes, or has ended.
type Moment struct {
	Call  string   // that is about to be made
	Told  []string // what was promised before
	Disks []Disk   // what may be found afterwards
}

// Play lets the scene play in root to its end and returns its moments, the last after the end. It
// fails the test where the order of calls is wrong whatever happens: a name that is given to content
// which is not on the disk, and a promise of what is not there.
func (s Stage) Play(t *testing.T, scene, root string) []Moment {
	t.Helper()
	r, err := s.record(scene, resolved(t, root))
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range r.problems {
		t.Errorf("%s: %s", scene, problem)
	}
	return r.moments
}

func (s Stage) record(scene, root string) (*recorder, error) {
	book, err := newLedger(s, root)
	if err != nil {
		return nil, err
	}
	r := &recorder{ledger: book}
	if _, err := trace(s.Test, scene, root, r); err != nil {
		return nil, err
	}
	return r, r.moment("the end")
}

// Kill lets the scene play in root and kills it before its n-th call that writes, from 1. It returns
// what was promised by then, and false when the scene has fewer calls: it has then ended.
func (s Stage) Kill(t *testing.T, scene, root string, n int) (told []string, killed bool) {
	t.Helper()
	k := &killer{left: n}
	killed, err := trace(s.Test, scene, resolved(t, root), k)
	if err != nil {
		t.Fatal(err)
	}
	return k.promises, killed
}

func resolved(t *testing.T, root string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// recorder takes a picture before each call.
type recorder struct {
	ledger
	moments []Moment
}

func (r *recorder) before(c *call) (verdict, error) {
	if err := r.moment(c.String(r.disk.root)); err != nil {
		return verdict{}, err
	}
	if c.kind == renames {
		unsynced, err := r.disk.unsynced(c.path)
		if err != nil {
			return verdict{}, err
		}
		if unsynced && !r.passing(below(r.disk.root, c.to)) {
			r.problem("call %d, %s: its content is not on the disk", len(r.moments), c.String(r.disk.root))
		}
	}
	return verdict{}, nil
}

func (r *recorder) moment(before string) error {
	disks, err := r.disk.disks(r.stage.Torn)
	r.moments = append(r.moments, Moment{Call: before, Told: slices.Clone(r.promises), Disks: disks})
	if err != nil {
		return fmt.Errorf("before %s: %w", before, err)
	}
	return nil
}

func (r *recorder) failed(why string) error { return errFailed(why) }

// killer counts down.
type killer struct {
	left     int
	promises []string
}

func (k *killer) before(*call) (verdict, error) {
	k.left--
	return verdict{kill: k.left <= 0}, nil
}
func (k *killer) after(*call) error { return nil }
func (k *killer) told(what string) error {
	k.promises = append(k.promises, what)
	return nil
}
func (k *killer) failed(why string) error { return errFailed(why) }

// errFailed is the end of a scene that must not fail.
func errFailed(why string) error { return fmt.Errorf("the scene failed: %s", why) }
