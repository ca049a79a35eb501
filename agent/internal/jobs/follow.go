package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
)

const (
	// followEvery is how often new output is looked for: a viewer sees a byte within 100 ms.
	followEvery = 25 * time.Millisecond
	// settleEvery is how many such looks there are to one question to the service manager.
	settleEvery = 80
)

// The names of the streams on the wire.
const (
	stdout = "stdout"
	stderr = "stderr"
)

// Sink takes what a follower sees. The first error ends the follow.
type Sink interface {
	// Job is where the job is, first and after each change.
	Job(job proto.Job) error
	// Output is bytes of a stream as the console wrote them; offset is where they stand in the
	// job's whole stream. raw is good for the time of the call.
	Output(stream string, offset int64, raw []byte) error
}

// Follow gives a job's changes and its output from the given offsets on; with Wait until the job ends.
// It holds at most proto.MaxOutput bytes.
func (s *Service) Follow(ctx context.Context, args proto.JobFollowArgs, sink Sink) (proto.Job, error) {
	if args.Stdout < 0 || args.Stderr < 0 {
		return proto.Job{}, &proto.Error{Code: proto.CodeBadRequest, Message: "cannot follow the job: an offset is below 0"}
	}
	f := &follower{service: s, sink: sink, buffer: make([]byte, proto.MaxOutput),
		streams: []*stream{{name: stdout, at: args.Stdout}, {name: stderr, at: args.Stderr}}}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		if err := f.look(ctx, args.ID, i%settleEvery == 0); err != nil {
			return proto.Job{}, err
		}
		if f.record.Job.State.Ended() || !args.Wait {
			return s.sized(f.record), f.past()
		}
		select {
		case <-ctx.Done():
			return s.sized(f.record), context.Cause(ctx)
		case <-tick.C:
		}
	}
}

type follower struct {
	service *Service
	sink    Sink
	buffer  []byte
	streams []*stream
	record  store.Record
	seen    os.FileInfo // of job.json
}

// stream is how far a follower is in one of the two.
type stream struct {
	name string
	at   int64
}

// look reads where the job is if that changed, then gives out all output that there is by then, and
// then tells the change: a viewer has seen everything of a job that it is told has ended.
func (f *follower) look(ctx context.Context, id proto.JobID, settle bool) error {
	changed, err := f.refresh(ctx, id, settle)
	if err != nil {
		return err
	}
	if err := f.pump(ctx); err != nil || !changed {
		return err
	}
	return f.sink.Job(f.service.sized(f.record))
}

func (f *follower) refresh(ctx context.Context, id proto.JobID, settle bool) (changed bool, err error) {
	info, err := f.service.Jobs.Changed(id)
	if err != nil && (errors.Is(err, os.ErrNotExist) || errors.Is(err, store.ErrNotFound)) {
		return false, f.service.noSuch(id)
	}
	if err != nil {
		return false, err
	}
	same := f.seen != nil && os.SameFile(f.seen, info) && f.seen.ModTime().Equal(info.ModTime())
	switch {
	case settle && (f.seen == nil || !f.record.Job.State.Ended()):
		before := f.record.Job.State
		if f.record, err = f.service.settled(ctx, id); err != nil {
			return false, err
		}
		same = same && f.record.Job.State == before
	case !same:
		if f.record, err = f.service.Jobs.Load(id); err != nil {
			return false, err
		}
	}
	f.seen = info
	return !same, nil
}

// pump gives out what there is, a piece of each stream in turn.
func (f *follower) pump(ctx context.Context) error {
	for more := true; more; {
		more = false
		for _, s := range f.streams {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			moved, err := f.piece(s)
			if err != nil {
				return err
			}
			more = more || moved
		}
	}
	return nil
}

// piece gives out the next piece of a stream, if there is one.
func (f *follower) piece(s *stream) (bool, error) {
	var base int64
	for _, run := range f.record.Runs {
		path, size := f.service.Folders.Stdout(run.Console), run.Stdout
		if s.name == stderr {
			path, size = f.service.Folders.Stderr(run.Console), run.Stderr
		}
		if !run.Open() && s.at >= base+size {
			base += size
			continue
		}
		room := int64(len(f.buffer))
		if !run.Open() {
			room = min(room, base+size-s.at)
		}
		n, err := readAt(path, f.buffer[:room], s.at-base)
		if err != nil {
			return false, err
		}
		if n == 0 && !run.Open() {
			s.at = base + size // what was pruned is passed over: the offsets stay
			return true, nil
		}
		if n == 0 {
			return false, nil
		}
		if err := f.sink.Output(s.name, s.at, f.buffer[:n]); err != nil {
			return false, err
		}
		s.at += int64(n)
		return true, nil
	}
	return false, nil
}

// readAt reads what there is of a file; one that is not there (yet, or no longer) is empty.
func readAt(path string, into []byte, offset int64) (int, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot read the output: %w", err)
	}
	defer file.Close()
	n, err := file.ReadAt(into, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("cannot read the output: %w", err)
	}
	return n, nil
}

// past refuses offsets that the output of an ended job does not have: the viewer means another job.
func (f *follower) past() error {
	job := f.service.sized(f.record)
	if job.State == proto.JobInterrupted {
		return nil // a host that lost its power may have lost bytes that somebody has seen
	}
	if job.State.Ended() && (f.streams[0].at > job.Stdout || f.streams[1].at > job.Stderr) {
		return &proto.Error{Code: proto.CodeJob, Advice: proto.Advice{Code: proto.AdviceAttach, Job: job.ID},
			Message: proto.Textf("cannot follow job %s from there: it has %d bytes of stdout and %d of stderr", job.ID, job.Stdout, job.Stderr)}
	}
	return nil
}
