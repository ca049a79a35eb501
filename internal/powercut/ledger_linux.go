package powercut

import "fmt"

// ledger holds what is told to what is on the disk.
type ledger struct {
	stage    Stage
	disk     *disk
	promises []string
	problems []string
}

func newLedger(stage Stage, root string) (ledger, error) {
	d, err := newDisk(root)
	return ledger{stage: stage, disk: d}, err
}

func (l *ledger) after(c *call) error {
	switch {
	case c.kind == syncs:
		return l.disk.sync(c.path)
	case c.kind == makes && !c.existed:
		return l.disk.made(c.path)
	}
	return nil
}

func (l *ledger) told(what string) error {
	l.promises = append(l.promises, what)
	live, _, err := l.disk.live()
	if err != nil {
		return err
	}
	synced, err := l.disk.synced()
	if err != nil {
		return err
	}
	for _, path := range synced.less(live) {
		if !l.passing(path) {
			l.problem("told %q when %s is not on the disk", what, path)
		}
	}
	for _, path := range live.less(synced) {
		if _, there := live[path]; !there && !l.passing(path) {
			l.problem("told %q when the removal of %s is not on the disk", what, path)
		}
	}
	return nil
}

func (l *ledger) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

func (l *ledger) passing(path string) bool { return l.stage.Passing != nil && l.stage.Passing(path) }
