package crash

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/internal/powercut"
)

// transition is a change of the state folder.
type transition struct {
	name string
	// prepare brings a new host to where the change begins.
	prepare func(h *host)
	// act makes the change, or what is left of it. It tells each state that is on the disk, in look's words.
	act func(h *host, told func(string)) error
	// look reads where things are. It fails the test where that cannot be said.
	look func(h *host) string
	// next is the next thing that people do, which must work whatever was cut off. cut says that the machine
	// went down, so that nothing runs any more; else what runs comes back.
	next func(h *host, cut bool)
	// torn is a file of which every byte of a cut-off write is tried; of the others a few are.
	torn string
	// whole says that the change is taken back where the disk refused a part of it, and nothing more.
	whole bool
}

func (c transition) stage() powercut.Stage {
	return powercut.Stage{
		Test:    "TestScene",
		Passing: func(path string) bool { return passing[filepath.Base(path)] || temporary.MatchString(path) },
		Torn:    func(path string) bool { return path == c.torn },
		Spared:  func(path string) bool { return path == effectsFile }, // the application's database is elsewhere
	}
}

// passing are the files that say nothing after their holder has died: what counts of a lock is the
// kernel's, and who held it is asked only while it is held.
var passing = map[string]bool{"lease": true, "lease.gate": true, "lease.json": true, "audit.lock": true, "admit.lock": true,
	"runner.lock": true, "application.lock": true}

func TestScene(t *testing.T) {
	scenes := map[string]powercut.Scene{}
	for _, c := range transitions {
		scenes[c.name] = func(t *testing.T, root string, told func(string)) error {
			h := open(t, root)
			err := c.act(h, told)
			if err != nil {
				h.clear(err)
				h.answers()
			}
			return err
		}
	}
	powercut.Act(t, scenes)
}

// TestEveryTransition stops each change at each of its system calls that write.
func TestEveryTransition(t *testing.T) {
	for _, c := range transitions {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := &trial{transition: c, before: c.start(t), seen: map[string]bool{}}
			r.cut(t)
			r.kill(t)
			t.Logf("%d calls that write, %d states of the disk", r.calls, len(r.seen))
		})
	}
}

// start is the state folder before the change.
func (c transition) start(t *testing.T) powercut.Tree {
	t.Helper()
	h := prepared(t, folder(t))
	c.prepare(h)
	tree, err := powercut.Read(h.state)
	h.must(err)
	return tree
}

// folder is in memory where there is such a place.
func folder(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("/dev/shm", "rpctl-crash-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(path) })
	return path
}

// trial is one transition under test.
type trial struct {
	transition
	before powercut.Tree
	states []string // in their order, the first before the change
	calls  int
	seen   map[string]bool
}

// restored is a host on a copy of the tree.
func (r *trial) restored(t *testing.T, tree powercut.Tree) *host {
	t.Helper()
	state := folder(t)
	if err := tree.Restore(state); err != nil {
		t.Fatal(err)
	}
	return open(t, state)
}

// cut plays the change once and looks at every state that the disk may have after a power cut.
func (r *trial) cut(t *testing.T) {
	at := r.restored(t, r.before)
	r.states = []string{r.look(at)}
	moments := r.stage().Play(t, r.name, at.state)
	r.calls = len(moments) - 1
	r.states = slices.Compact(append(r.states, moments[r.calls].Told...))
	for n, moment := range moments {
		for _, disk := range moment.Disks {
			key := key(disk.Tree) + strings.Join(moment.Told, "\n")
			if r.seen[key] {
				continue
			}
			r.seen[key] = true
			t.Run("", func(t *testing.T) {
				defer func() {
					if t.Failed() {
						t.Errorf("after a power cut before call %d (%s), with %s, having told %q", n+1, moment.Call, disk.Name, moment.Told)
					}
				}()
				h := r.restored(t, disk.Tree)
				r.known(h, moment.Told)
				if len(r.seen)%r.sample() == 0 {
					r.goesOn(h, true)
				}
			})
		}
	}
}

var temporary = regexp.MustCompile(`(^|/)\.([^/]+?)\.?[0-9]+$`)

// key is the same for trees that an agent reads the same: it never reads a temporary file.
func key(tree powercut.Tree) string {
	plain := powercut.Tree{}
	for path, entry := range tree {
		if temporary.MatchString(path) {
			path, entry.Data = temporary.ReplaceAllString(path, "$1.$2"), ""
		}
		plain[path] = entry
	}
	return plain.Sum()
}

// sample is 1 where everything is tried to its end, which CRASH=all asks for; of a long change every third is enough
// for each time. What the state is, is asked of every disk.
func (r *trial) sample() int {
	if r.calls > 30 && os.Getenv("CRASH") != "all" {
		return 3
	}
	return 1
}

// kill plays the change again and again, and kills it at its calls. What a kill leaves was looked at for every
// call already (all that was written): here are locks and descriptors that die as well.
func (r *trial) kill(t *testing.T) {
	step := 1
	if r.sample() > 1 {
		step = 7
	}
	for n := 1; n <= r.calls; n += step {
		t.Run("", func(t *testing.T) {
			h := r.restored(t, r.before)
			told, killed := r.stage().Kill(t, r.name, h.state, n)
			if !killed {
				return // it had fewer calls this time: a lock was free at once
			}
			defer func() {
				if t.Failed() {
					t.Errorf("killed at call %d of %d, having told %q", n, r.calls, told)
				}
			}()
			again := open(t, h.state)
			r.known(again, told)
			r.goesOn(again, false)
		})
	}
}

// known is what must hold whatever was cut off: where things are can be said, and nothing that was told is gone.
func (r *trial) known(h *host, told []string) {
	h.TB.Helper()
	is := r.look(h)
	at := slices.Index(r.states, is)
	promised := 0
	if len(told) > 0 {
		promised = slices.Index(r.states, told[len(told)-1])
	}
	if at < promised || at < 0 {
		h.TB.Fatalf("it is %q, which is no state, or before one that was told; states: %q", is, r.states)
	}
}

// goesOn is what must hold after that: the next thing works, evidence holds, and nothing is left over.
func (r *trial) goesOn(h *host, cut bool) {
	h.TB.Helper()
	r.next(h, cut)
	h.sound()
	h.agreed()
	h.tidy()
}
