package chaos

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// jobs holds output, as it is attached to and as it was seen, to the host's bytes.
func (r *run) jobs(ctx context.Context) {
	records, err := r.stage.records()
	if err != nil {
		r.violation("%v", err)
		return
	}
	all := len(records)
	records = slices.DeleteFunc(records, func(one record) bool { return slices.Contains(r.before, one.Job.ID) })
	if lost := len(r.before) - (all - len(records)); lost > 0 {
		r.violation("%d jobs of earlier runs are lost", lost)
	}
	for _, record := range records {
		id := string(record.Job.ID)
		if !record.Job.State.Ended() {
			r.violation("job %s is %s at the end", id, record.Job.State)
			continue
		}
		out, err := r.stage.output(record, "out")
		errs, err2 := r.stage.output(record, "err")
		if err != nil || err2 != nil {
			r.violation("%v %v", err, err2)
			continue
		}
		r.attached(ctx, id, out, errs)
		for _, p := range r.processes {
			if p.job() == id && slices.Contains(p.args, "--raw") {
				r.seen(p, id, out)
			}
		}
	}
	if !r.clockMoved {
		r.alone(records)
	}
}

// attached reads a job's output from its first byte, raw and as events.
func (r *run) attached(ctx context.Context, id string, out, errs []byte) {
	p := r.follow(ctx, "attach", id, "--env", environment, "--from", "start", "--raw")
	if p != nil && !bytes.Equal(p.stdout.Bytes(), out) {
		r.violation("attach %s --raw shows %d bytes of stdout, the host has %d%s", id, p.stdout.Len(), len(out), differ(p.stdout.Bytes(), out))
	}
	if p = r.follow(ctx, "attach", id, "--env", environment, "--from", "start", "--json"); p == nil {
		return
	}
	all, err := events(p.stdout.Bytes())
	if err != nil {
		r.violation("%v", err)
	}
	streams := map[string]*bytes.Buffer{"stdout": {}, "stderr": {}}
	for _, e := range all {
		if e.Event != "console" {
			continue
		}
		if b := streams[e.Stream]; *e.Offset != int64(b.Len()) {
			r.violation("attach %s has a hole in %s: at %d, want %d", id, e.Stream, *e.Offset, b.Len())
		}
		streams[e.Stream].Write(e.Data)
	}
	for name, want := range map[string][]byte{"stdout": out, "stderr": errs} {
		if got := streams[name].Bytes(); !bytes.Equal(got, want) {
			r.violation("attach %s shows %d bytes of %s, the host has %d%s", id, len(got), name, len(want), differ(got, want))
		}
	}
}

// seen holds what a command showed while faults struck: all of it, or of one that was cut short, the beginning.
func (r *run) seen(p *process, id string, out []byte) {
	shown := p.stdout.Bytes()
	switch {
	case r.cut && bytes.HasPrefix(shown, out): // what no fsync had seen yet
	case (p.code == 0 || p.code == 1) && !p.killed && !bytes.Equal(shown, out):
		r.violation("rpctl %s showed %d bytes of job %s, the host has %d%s", p.args[0], len(shown), id, len(out), differ(shown, out))
	case !bytes.HasPrefix(out, shown):
		r.violation("rpctl %s showed %d bytes of job %s that are not how the host's %d begin%s", p.args[0], len(shown), id, len(out), differ(shown, out))
	}
}

func differ(got, want []byte) string {
	n := 0
	for n < len(got) && n < len(want) && got[n] == want[n] {
		n++
	}
	return fmt.Sprintf(" (they part at %d)", n)
}

// alone says that no two real runs were at the same time, and that no release was switched in one.
func (r *run) alone(records []record) {
	var switched time.Time
	if info, err := os.Lstat(filepath.Join(r.stage.Application(), "current")); err == nil {
		switched = info.ModTime()
	}
	var until time.Time
	for _, record := range records {
		for _, run := range record.Runs {
			if run.Purpose != "real" {
				continue
			}
			if run.Began.Before(until) {
				r.violation("job %s: step %s began at %s, another ran until %s", record.Job.ID, run.Step, run.Began, until)
			}
			until = run.Ended
			if switched.After(run.Began) && switched.Before(run.Ended) {
				r.violation("job %s: a release was switched while step %s ran", record.Job.ID, run.Step)
			}
		}
	}
}
