package status

import (
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/proto"
)

// jobs is what works on plans at this moment.
func (p *page) jobs(jobs []proto.Job) {
	for _, job := range jobs {
		words := fmt.Sprintf("%s %s, %s, by %s, %s", job.Kind, job.ID, at(job), p.who(string(job.Operator), string(job.User)), p.moment(job.Created))
		if job.CancelAsked {
			words += ", asked to stop"
		}
		p.wrap("job      ", words)
		p.glass(string(job.BreakGlass))
	}
}

// at is the step that a job is at.
func at(job proto.Job) string {
	for _, step := range job.Steps {
		switch step.State {
		case proto.StepChecking, proto.StepRunning, proto.StepVerifying:
			return fmt.Sprintf("step %s %s", step.Step, step.State)
		}
	}
	return string(job.State)
}

// plans is what was simulated, approved or begun here and is not done.
func (p *page) plans(plans []proto.PlanState) {
	for _, plan := range plans {
		words := fmt.Sprintf("%s %s (%s): %d of %d steps verified", plan.Centre, plan.State, plan.Ticket, plan.Verified, plan.Steps)
		if len(plan.Waiting) > 0 {
			var steps []string
			for _, step := range plan.Waiting {
				steps = append(steps, string(step))
			}
			words += ", waiting for an operator's word on step " + strings.Join(steps, ", ")
		}
		p.wrap("plan     ", words)
		p.glass(string(plan.BreakGlass))
	}
}

// glass shouts that gates were passed by.
func (p *page) glass(reason string) {
	if reason != "" {
		p.line(p.paint(red, "         THE GLASS IS BROKEN:"))
		p.wrap("         ", reason)
	}
}
