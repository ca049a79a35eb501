package runner_test

import (
	"testing"

	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/proto"
)

// TestTheGlassStaysBroken: a step that was run behind a broken glass stands in the receipt of the whole plan,
// whatever the rest of it was run behind.
func TestTheGlassStaysBroken(t *testing.T) {
	for name, c := range map[string]struct {
		fault   int // of which real command
		limit   int
		drift   bool
		resolve bool
		stopped string
		reason  string
	}{
		"drift after a step":  {1, 0, true, false, "verified stopped simulated", "nobody answers"},
		"a step fails":        {1, 12, false, true, "failed simulated simulated", "nobody answers"},
		"drift before a step": {0, 0, true, false, "stopped simulated simulated", ""}, // nothing was run behind it
	} {
		t.Run(name, func(t *testing.T) {
			h, p := jobstest.NewHost(t), jobstest.Plan()
			h.Parts.Config.Console.BreakGlass = true
			h.Simulate(p)
			come := func() { h.World.Add(jobstest.CPH.ID, "CHU 75", 1) }
			switch {
			case c.fault == 0:
				h.World.Add(jobstest.CHU75.ID, "CPH", 1)
			case c.drift:
				h.Engine.Script = real(c.fault, jobstest.Fault{Before: come})
			default:
				h.Engine.Script = real(c.fault, jobstest.Fault{Limit: c.limit})
			}
			broken := apply(p)
			broken.BreakGlass = "nobody answers"
			if job := h.Do(h.Signed(h.Alice, broken)); job.State != proto.JobFailed || states(job) != c.stopped {
				t.Fatalf("%s %s, %v", job.State, states(job), job.Error)
			}
			h.Engine.Script = nil
			shown(t, h, c.reason)
			h.Approve(p)
			shown(t, h, c.reason)
			rest := apply(p)
			if c.resolve {
				rest = resolved(p, "1.1", proto.ResolveRerun)
			}
			job := h.Do(rest)
			if job.State != proto.JobSucceeded {
				t.Fatal(job.Error)
			}
			var applied proto.Applied
			if err := proto.DecodeStrict([]byte(job.Receipt.Body), &applied); err != nil || applied.BreakGlass != c.reason {
				t.Errorf("the receipt says %q, want %q; %v", applied.BreakGlass, c.reason, err)
			}
		})
	}
}

// shown fails where the host's overview says something else of the glass of its only plan.
func shown(t *testing.T, h *jobstest.Host, reason string) {
	t.Helper()
	_, plans, err := h.Service.Overview(t.Context())
	if err != nil || len(plans) != 1 || string(plans[0].BreakGlass) != reason {
		t.Errorf("the overview says %+v, want the reason %q; %v", plans, reason, err)
	}
}
