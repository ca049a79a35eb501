package powercut

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// Trouble is what is wrong with a disk.
type Trouble string

// The troubles, each with what its calls return.
const (
	Full     Trouble = "full"          // ENOSPC of what takes room, fsync included, which may be the first to look for it
	Filling  Trouble = "filling up"    // the same, after a write of which half had room
	Inodes   Trouble = "out of inodes" // ENOSPC of what makes a file or a folder, and of nothing else
	Quota    Trouble = "over quota"    // EDQUOT of what takes room
	ReadOnly Trouble = "read-only"     // EROFS of everything
	Failing  Trouble = "failing"       // EIO of everything
)

// Troubles are all of them.
var Troubles = []Trouble{Full, Filling, Inodes, Quota, ReadOnly, Failing}

// Says is what is read in an error of the trouble.
func (t Trouble) Says() string { return t.errno().Error() }

func (t Trouble) errno() unix.Errno {
	switch t {
	case Quota:
		return unix.EDQUOT
	case ReadOnly:
		return unix.EROFS
	case Failing:
		return unix.EIO
	}
	return unix.ENOSPC
}

// hits says that a call fails of the trouble.
func (t Trouble) hits(c *call) bool {
	made := c.kind == makes && !c.existed
	switch t {
	case Inodes:
		return made
	case ReadOnly:
		return !c.reads
	case Failing:
		return true
	}
	return made || c.kind == writes || c.kind == renames || c.kind == syncs
}

// Strike is where a disk begins to fail a scene, and for how long.
type Strike struct {
	Call    int // the number of the call, from 1
	Name    string
	Trouble Trouble
	// Stays says that the trouble hits all later calls too; otherwise the disk is well again after one.
	Stays bool
	// Again says that a scene that has failed is played once more in the same process.
	Again bool
}

func (s Strike) String() string {
	lasts := "once"
	if s.Stays {
		lasts = "from then on"
	}
	if s.Again {
		lasts += ", asked again"
	}
	return fmt.Sprintf("call %d (%s), the disk %s %s", s.Call, s.Name, s.Trouble, lasts)
}

// Outcome is how a scene ended whose disk has failed.
type Outcome struct {
	Told   []string // what was promised
	Errs   []string // what the scene returned, and what it returned when it was played again
	Failed []string // the calls that failed
	// Problems are what was promised though it was not on the disk.
	Problems []string
}

// Strikes lets the scene play in root and returns all ways in which its disk can fail it, with what was promised.
// Again is not set in them.
func (s Stage) Strikes(t *testing.T, scene, root string) ([]Strike, []string) {
	t.Helper()
	l := &lister{stage: s, root: resolved(t, root)}
	if _, err := trace(s.Test, scene, l.root, l); err != nil {
		t.Fatal(err)
	}
	return l.strikes, l.promises
}

// Fail lets the scene play in root to its end, on a disk that fails. It fails the test where that end is
// another than a success or an error that the scene returned.
func (s Stage) Fail(t *testing.T, scene, root string, strike Strike) Outcome {
	t.Helper()
	book, err := newLedger(s, resolved(t, root))
	if err != nil {
		t.Fatal(err)
	}
	f := &failer{ledger: book, strike: strike}
	var env []string
	if strike.Again {
		env = append(env, againVariable+"=1")
	}
	if _, err := trace(s.Test, scene, f.disk.root, f, env...); err != nil {
		t.Errorf("%s: %v", strike, err)
	}
	f.outcome.Told, f.outcome.Problems = f.promises, f.problems
	return f.outcome
}

// spares says that a call is to another disk.
func (s Stage) spares(c *call, root string) bool {
	return s.Spared != nil && s.Spared(below(root, c.path))
}

// lister notes what can happen to each call.
type lister struct {
	stage    Stage
	root     string
	calls    int
	strikes  []Strike
	promises []string
}

func (l *lister) before(c *call) (verdict, error) {
	if l.stage.spares(c, l.root) {
		return verdict{}, nil
	}
	l.calls++
	for _, trouble := range Troubles {
		if !trouble.hits(c) || trouble == Filling && c.size < 2 {
			continue
		}
		for _, stays := range []bool{false, true} {
			l.strikes = append(l.strikes, Strike{Call: l.calls, Name: c.String(l.root), Trouble: trouble, Stays: stays})
		}
	}
	return verdict{}, nil
}
func (l *lister) after(*call) error { return nil }
func (l *lister) told(what string) error {
	l.promises = append(l.promises, what)
	return nil
}
func (l *lister) failed(why string) error { return errFailed(why) }

// failer counts to a call and lets it fail.
type failer struct {
	ledger
	strike  Strike
	calls   int
	halved  bool // a write was cut short, and the next one fails
	outcome Outcome
}

func (f *failer) before(c *call) (verdict, error) {
	if f.stage.spares(c, f.disk.root) {
		return verdict{}, nil
	}
	f.calls++
	over := !f.strike.Stays && len(f.outcome.Failed) > 0
	if f.calls < f.strike.Call || over || !f.strike.Trouble.hits(c) {
		return verdict{}, nil
	}
	if f.strike.Trouble == Filling && !f.halved {
		if c.size < 2 {
			return verdict{}, nil
		}
		f.halved = true
		return verdict{size: c.size / 2}, nil
	}
	f.outcome.Failed = append(f.outcome.Failed, c.String(f.disk.root))
	return verdict{errno: f.strike.Trouble.errno()}, nil
}

// told holds a promise to the disk, but not what is told after an error: what is found there then, nobody can tell from
// what is on the disk.
func (f *failer) told(what string) error {
	if len(f.outcome.Errs) > 0 {
		f.promises = append(f.promises, what)
		return nil
	}
	return f.ledger.told(what)
}

func (f *failer) failed(why string) error {
	f.outcome.Errs = append(f.outcome.Errs, why)
	return nil
}
