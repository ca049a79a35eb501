package migrate

import (
	"context"
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// interrupted is a Ctrl-C while a job is followed: on a terminal the operator says
// what is meant, elsewhere the viewer goes and the job stays. Nothing is shown meanwhile.
func (f *follower) interrupted(ctx context.Context) error {
	if f.Confirm == nil {
		return f.detached()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	question := fmt.Sprintf("\njob %s runs on %s, whatever you answer:\n  d  detach and leave it running\n"+
		"  c  cancel it before its next step\n  g  go on watching\n[d/c/g] ", f.id, f.to.Host)
	for {
		answer, err := f.Confirm(ctx, question)
		if err != nil {
			return f.detachedLocked()
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "d":
			return f.detachedLocked()
		case "c":
			f.askToCancel(ctx)
			return nil
		case "g":
			return nil
		}
		question = "[d/c/g] "
	}
}

// askToCancel uses a connection of its own: the one that follows is busy with it.
func (f *follower) askToCancel(ctx context.Context) {
	job, err := f.cancel(ctx)
	if err != nil {
		failure := exit.From(err)
		f.warn(f.to, "cannot cancel: %s (rpctl cancel %s --env %s)", failure.Message, f.id, f.to.Environment)
		return
	}
	f.saw.job(job)
}

func (f *follower) cancel(ctx context.Context) (job proto.Job, err error) {
	agent, err := f.Fleet.Dial(ctx, f.to)
	if err != nil {
		return job, err
	}
	defer func() { _ = agent.Close() }() // the answer is there
	err = call(ctx, agent, proto.OpJobCancel, proto.JobCancelArgs{ID: f.id}, &job)
	return job, err
}

// detached is the end of the viewer alone.
func (f *follower) detached() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.detachedLocked()
}

func (f *follower) detachedLocked() error {
	return &exit.Error{
		Code: exit.Interrupted, Host: f.to.Host, Next: f.attach(),
		Message: fmt.Sprintf("detached: job %s goes on", f.id),
	}
}
