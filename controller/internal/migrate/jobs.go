package migrate

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/proto"
)

// Jobs are the newest jobs of an environment's console host.
func Jobs(ctx context.Context, world World, e inventory.Environment, limit int) (fleet.Target, []proto.Job, error) {
	to, agent, err := jobHost(ctx, world, e)
	if err != nil {
		return to, nil, err
	}
	defer func() { _ = agent.Close() }() // the answer is there
	var list proto.JobList
	err = call(ctx, agent, proto.OpJobs, proto.JobsArgs{Limit: limit}, &list)
	return to, list.Jobs, err
}

// jobHost connects to where an environment's jobs run. hosts.toml is not held against
// the host: a running job is to be seen and stopped whatever they say of each other.
func jobHost(ctx context.Context, world World, e inventory.Environment) (fleet.Target, fleet.Agent, error) {
	to, err := target(e)
	if err != nil {
		return to, nil, err
	}
	agent, err := world.Fleet.Dial(ctx, to)
	return to, agent, err
}

// CheckID refuses what is no job's id, before any connection.
func CheckID(word, environment string) (proto.JobID, error) {
	id := proto.JobID(word)
	if !id.Valid() {
		return "", &exit.Error{
			Code: exit.BadInput, Message: fmt.Sprintf("%q is no job's id: want 8 to 64 of a-z and 0-9", word), Next: "rpctl jobs --env " + environment,
		}
	}
	return id, nil
}

// Cancel asks a job to stop before its next step, or with now at once.
func Cancel(ctx context.Context, world World, e inventory.Environment, id proto.JobID, now bool) error {
	to, agent, err := jobHost(ctx, world, e)
	if err != nil {
		return err
	}
	defer func() { _ = agent.Close() }() // the answer is there
	var job proto.Job
	if err := call(ctx, agent, proto.OpJobCancel, proto.JobCancelArgs{ID: id, Now: now}, &job); err != nil {
		return err
	}
	next, how := "", ""
	if now && !job.State.Ended() {
		how = "is being stopped at once: a console command that runs is killed, and its step may be half done"
	}
	if !job.State.Ended() {
		next = exit.Command("attach", string(id), "--env", to.Environment)
	}
	world.emit(to, event.Event{Kind: event.Job, Job: &job, Text: how, Next: next})
	if job.State.Ended() && !job.CancelAsked {
		world.warn(to, "job %s had already ended (%s, %s): there was nothing to cancel", id, job.State, event.Ago(world.Now().Sub(job.Ended)))
	}
	return nil
}

// From is where an attach begins: at a byte of each stream, or with End at what comes from now on.
type From struct {
	Stdout, Stderr int64
	End            bool
}

// ParseFrom reads start, end, N (of stdout) or N,M (of stdout and stderr).
func ParseFrom(word string) (From, error) {
	switch word {
	case "start":
		return From{}, nil
	case "end":
		return From{End: true}, nil
	}
	first, second, both := strings.Cut(word, ",")
	stdout, err := parseOffset(first)
	var stderr int64
	if err == nil && both {
		stderr, err = parseOffset(second)
	}
	if err != nil {
		return From{}, &exit.Error{
			Code: exit.BadInput, Err: err,
			Message: fmt.Sprintf("bad --from %q: want start, end, the byte of stdout, or the bytes of stdout and stderr like 4096,0", word),
		}
	}
	return From{Stdout: stdout, Stderr: stderr}, nil
}

func parseOffset(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err == nil && strings.HasPrefix(text, "+") {
		err = strconv.ErrSyntax
	}
	return int64(n), err
}

// Attach follows a job that somebody started.
func Attach(ctx context.Context, world World, e inventory.Environment, id proto.JobID, from From) error {
	to, agent, err := jobHost(ctx, world, e)
	if err != nil {
		return err
	}
	args := proto.JobFollowArgs{ID: id, Stdout: from.Stdout, Stderr: from.Stderr}
	if from.End {
		job, err := oneJob(ctx, agent, id)
		if err != nil {
			_ = agent.Close() // nothing is followed
			return err
		}
		args.Stdout, args.Stderr = job.Stdout, job.Stderr
	}
	job, err := world.follow(ctx, to, agent, args)
	if err != nil {
		return err
	}
	place := exit.Place{Host: to.Host, Environment: to.Environment}
	return outcome(place, job, exit.Command("jobs", "--env", to.Environment))
}

func oneJob(ctx context.Context, agent fleet.Agent, id proto.JobID) (proto.Job, error) {
	var list proto.JobList
	if err := call(ctx, agent, proto.OpJobs, proto.JobsArgs{ID: id}, &list); err != nil {
		return proto.Job{}, err
	}
	if len(list.Jobs) != 1 || list.Jobs[0].ID != id {
		return proto.Job{}, &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("there is no job %s", id)}
	}
	return list.Jobs[0], nil
}
