package migrate

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/proto"
)

// follower shows a job until it ends. A lost connection is made again and goes on
// at the byte that was shown last; nothing here ever ends the job.
type follower struct {
	World
	to  fleet.Target
	id  proto.JobID
	mu  sync.Mutex // held while something is shown, or the operator is asked
	at  map[string]int64
	saw tracker
	// over says that nothing more may be shown; failure, that something could not be.
	over    bool
	failure error

	patience *patience
	agentMu  sync.Mutex
	agent    fleet.Agent
}

// follow follows a job from the given offsets on, beginning on an open connection,
// which it closes. The job that it returns has ended, or err says why it is not known how.
func (w World) follow(ctx context.Context, to fleet.Target, agent fleet.Agent, from proto.JobFollowArgs) (proto.Job, error) {
	f := &follower{
		World: w, to: to, id: from.ID, agent: agent, patience: newPatience(w.Now),
		at:  map[string]int64{proto.Stdout: from.Stdout, proto.Stderr: from.Stderr},
		saw: tracker{world: w, to: to},
	}
	defer f.end()
	interrupts, stop := w.interrupts()
	defer func() { stop() }()
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	type ending struct {
		job proto.Job
		err error
	}
	ended := make(chan ending, 1)
	go func() {
		job, err := f.watch(inner)
		ended <- ending{job, err}
	}()
	for {
		select {
		case e := <-ended:
			if ctx.Err() != nil {
				return proto.Job{}, f.detached()
			}
			return e.job, e.err
		case <-ctx.Done():
			return proto.Job{}, f.detached()
		case <-interrupts:
			stop() // while the operator is asked, another Ctrl-C means it
			if err := f.interrupted(ctx); err != nil {
				return proto.Job{}, err
			}
			interrupts, stop = w.interrupts()
		}
	}
}

func (w World) interrupts() (<-chan struct{}, func()) {
	if w.Interrupts == nil {
		return nil, func() {}
	}
	return w.Interrupts()
}

// end lets go of the connection; what still comes is not shown.
func (f *follower) end() {
	f.use(nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		f.over = true
		f.Console.End()
	}
}

// use takes a new connection in place of the one before.
func (f *follower) use(agent fleet.Agent) {
	f.agentMu.Lock()
	before := f.agent
	f.agent = agent
	f.agentMu.Unlock()
	if before != nil {
		_ = before.Close() // it is lost, or no longer wanted
	}
}

func (f *follower) current() fleet.Agent {
	f.agentMu.Lock()
	defer f.agentMu.Unlock()
	return f.agent
}

// watch goes from connection to connection until the job has ended.
func (f *follower) watch(ctx context.Context) (proto.Job, error) {
	for {
		job, err := f.once(ctx)
		if !lost(err) || ctx.Err() != nil {
			return job, err
		}
		if err := f.again(ctx, err); err != nil {
			return proto.Job{}, err
		}
	}
}

// once follows over the connection that there is.
func (f *follower) once(ctx context.Context) (job proto.Job, err error) {
	agent := f.current()
	if agent == nil {
		if agent, err = f.Fleet.Dial(ctx, f.to); err != nil {
			return job, err
		}
		f.use(agent)
	}
	f.mu.Lock()
	args := proto.JobFollowArgs{ID: f.id, Stdout: f.at[proto.Stdout], Stderr: f.at[proto.Stderr], Wait: true}
	f.mu.Unlock()
	err = agent.Call(ctx, proto.OpJobFollow, args, &job, f.hear)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.failure != nil:
		return job, f.failure
	case err != nil:
		return job, err
	case job.ID != f.id || !job.State.Ended():
		return job, &exit.Error{Code: exit.HostFailed, Host: f.to.Host, Message: fmt.Sprintf("ended the following of job %s, which has not ended", f.id), Next: f.attach()}
	}
	if !f.over {
		f.saw.job(job)
	}
	return job, nil
}

// again waits before the next try, or says that it was enough.
func (f *follower) again(ctx context.Context, why error) error {
	f.use(nil)
	f.mu.Lock()
	wait, more := f.patience.next()
	attach := f.attach()
	if more && !f.over {
		f.warn(f.to, "%s; job %s goes on there, trying again in %s", exit.From(why).Message, f.id, wait)
	}
	f.mu.Unlock()
	if !more {
		return &exit.Error{
			Code: exit.Unreachable, Host: f.to.Host, Err: why, Next: attach,
			Message: fmt.Sprintf("not reached again within %s: job %s goes on there, and its outcome is unknown", giveUpAfter, f.id),
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hear shows one event.
func (f *follower) hear(e proto.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.failure != nil {
		return
	}
	f.patience.heard()
	switch e.Event {
	case proto.EventOutput:
		f.output(*e.Output)
	case proto.EventJob:
		f.saw.job(*e.Job)
	}
}

// output passes on what was not shown before. What the host no longer has is told.
func (f *follower) output(o proto.Output) {
	at := f.at[o.Stream]
	end := o.Offset + int64(len(o.Raw))
	if end <= at {
		return
	}
	if o.Offset > at {
		f.warn(f.to, "bytes %d to %d of %s are gone on the host", at, o.Offset-1, o.Stream)
		at = o.Offset
	}
	if err := f.Console.Print(o.Stream, at, o.Raw[at-o.Offset:]); err != nil {
		f.failure = &exit.Error{
			Code: exit.LocalFailed, Err: err, Next: f.attach(),
			Message: fmt.Sprintf("cannot show the output: %v; job %s %s", err, f.id, f.standing()),
		}
		go f.use(nil) // ends the call, which waits for this event to be over
		return
	}
	f.at[o.Stream] = end
}

// standing is what becomes of the job when it is no longer followed. The caller holds mu.
func (f *follower) standing() string {
	if f.saw.state.Ended() {
		return fmt.Sprintf("had ended (%s)", f.saw.state)
	}
	return "goes on on " + f.to.Host
}

// attach is the command that goes on where this one stopped. The caller holds mu.
func (f *follower) attach() string {
	return fmt.Sprintf("rpctl attach %s --env %s --from %d,%d", f.id, f.to.Environment, f.at[proto.Stdout], f.at[proto.Stderr])
}
