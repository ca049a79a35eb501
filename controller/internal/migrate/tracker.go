package migrate

import (
	"cmp"
	"fmt"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// tracker tells of a job what was not told before: a host repeats itself, above all
// after a connection was made again.
type tracker struct {
	world World
	to    fleet.Target
	state proto.JobState
	asked string // how it was asked to stop, as it was told
	steps map[plan.StepID]proto.StepState
}

func (t *tracker) job(job proto.Job) {
	if t.steps == nil {
		t.steps = map[plan.StepID]proto.StepState{}
	}
	ended := job.State.Ended()
	if !ended && (t.state == "" || wish(job) != t.asked) {
		t.tell(job)
	}
	for _, step := range job.Steps {
		if before, known := t.steps[step.Step]; known && before == step.State || !known && step.State == proto.StepPending {
			continue
		}
		t.steps[step.Step] = step.State
		t.world.emit(t.to, event.Event{Kind: event.JobStep, JobStep: &step})
	}
	if ended && t.state != job.State {
		t.tell(job)
	}
	t.state, t.asked = job.State, wish(job)
}

// wish is how a job was asked to stop, if it was.
func wish(job proto.Job) string {
	switch {
	case job.CancelNow:
		return "now"
	case job.CancelAsked:
		return "next"
	}
	return ""
}

func (t *tracker) tell(job proto.Job) { t.world.emit(t.to, event.Event{Kind: event.Job, Job: &job}) }

// outcome is how a job that has ended counts: nil when all that was asked is done.
// next is what to type where the host advises nothing.
func outcome(place exit.Place, job proto.Job, next string) error {
	if job.State == proto.JobSucceeded {
		return nil
	}
	failure := &exit.Error{Code: exit.Failed, Host: place.Host, Next: next}
	switch {
	case job.State == proto.JobCancelled:
		failure.Message = fmt.Sprintf("job %s was cancelled; %s", job.ID, progress(job))
	case job.State == proto.JobInterrupted:
		failure.Message = fmt.Sprintf("job %s was interrupted (the host rebooted, or something was killed); nothing is run again by itself; %s", job.ID, progress(job))
	default:
		failure.Message = fmt.Sprintf("job %s failed; %s", job.ID, progress(job))
	}
	if job.Error == nil {
		return failure
	}
	failure.Message += ": " + string(job.Error.Message)
	failure.Err = job.Error
	if job.Error.Code == proto.CodeGate || job.Error.Code == proto.CodeLimit {
		failure.Code = exit.Refused
	}
	own, suggests := place.Follow(job.Error.Advice, job.Error.HostSuggests)
	failure.Next, failure.HostSuggests = cmp.Or(own, next), suggests
	return failure
}

// progress says in words how far the steps are, and what one of them left behind.
func progress(job proto.Job) string {
	words := ""
	for _, step := range job.Steps {
		switch step.State {
		case proto.StepVerified, proto.StepSimulated, proto.StepPending:
		default:
			words += fmt.Sprintf(", step %s is %s", step.Step, step.State)
			if step.Remaining != nil {
				words += fmt.Sprintf(" with %d left to move", *step.Remaining)
			}
		}
	}
	return fmt.Sprintf("%d of %d steps are done%s", job.Done(), len(job.Steps), words)
}
