package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/proto"
)

// startTries bounds how often a start is asked for: the id makes asking twice harmless,
// since the second start attaches to the first.
const startTries = 5

// start asks the host for a job. A connection lost before the answer is made again; the
// agent that is returned is the one that answered.
func (r *run) start(ctx context.Context, to fleet.Target, agent fleet.Agent, args proto.JobStartArgs) (fleet.Agent, error) {
	p := newPatience(r.Now)
	for try := 1; ; try++ {
		var job proto.Job
		err := call(ctx, agent, proto.OpJobStart, args, &job)
		if err == nil && job.ID != args.ID {
			err = &exit.Error{Code: exit.HostFailed, Host: to.Host, Message: "answered the start of a job with another job"}
		}
		if err == nil {
			return agent, nil
		}
		_ = agent.Close() // it answered with an error, or is lost
		if !lost(err) || ctx.Err() != nil || try == startTries {
			return nil, unstarted(to, args.ID, err)
		}
		if agent, err = r.redial(ctx, to, p, err); err != nil {
			return nil, unstarted(to, args.ID, err)
		}
	}
}

// redial waits and connects again, until one connection stands or patience ends.
func (r *run) redial(ctx context.Context, to fleet.Target, p *patience, why error) (fleet.Agent, error) {
	for {
		wait, more := p.next()
		if !more {
			return nil, why
		}
		r.warn(to, "%s; asking for the same job again in %s", exit.From(why).Message, wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		agent, err := r.Fleet.Dial(ctx, to)
		if !lost(err) {
			return agent, err
		}
		why = err
	}
}

// unstarted adds to a lost answer how to learn what became of the job; a refusal stands for itself.
func unstarted(to fleet.Target, id proto.JobID, err error) error {
	if !lost(err) && !errors.Is(err, context.Canceled) {
		return err
	}
	failure := *exit.From(err)
	failure.Host = to.Host
	failure.Message += fmt.Sprintf("; whether job %s was started is unknown", id)
	failure.Next = "rpctl jobs --env " + to.Environment
	return &failure
}
