package jobs_test

import (
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
)

// TestClockTurnedBackStaysRefused: whatever is written while the clock is behind, an approval that has expired
// does not count again.
func TestClockTurnedBackStaysRefused(t *testing.T) {
	write := func(action string) func(*testing.T, *jobstest.Host) {
		return func(t *testing.T, h *jobstest.Host) {
			t.Helper()
			if _, err := h.Service.Audit.Append(proto.AuditEntry{Action: action, User: "app"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, between := range map[string]func(*testing.T, *jobstest.Host){
		"nothing":        func(*testing.T, *jobstest.Host) {},
		"refusals":       write(audit.ActionRefused),
		"a lease":        write(audit.ActionLease),
		"a record":       write(audit.ActionRecord),
		"a cancellation": write(audit.ActionCancel),
		"a simulation": func(t *testing.T, h *jobstest.Host) {
			h.Simulate(jobstest.Plan())
		},
		"another approval": func(t *testing.T, h *jobstest.Host) {
			approval := h.Approval(h.Simulate(jobstest.Plan()))
			_, _ = h.Service.Approve(t.Context(), proto.ApproveArgs{Approval: approval}, jobstest.Caller)
		},
		"pruned jobs": func(t *testing.T, h *jobstest.Host) {
			if err := store.New(h.Parts.State).Prune(time.Now().AddDate(2, 0, 0)); err != nil {
				t.Fatal(err)
			}
		},
		"a reboot": func(_ *testing.T, h *jobstest.Host) { h.Reopen() },
	} {
		t.Run(name, func(t *testing.T) {
			h, p := jobstest.NewHost(t), jobstest.Plan()
			ahead := time.Duration(0)
			h.Parts.Now = func() time.Time { return time.Now().Add(ahead) }
			h.Reopen()
			h.Approve(p) // for an hour
			start := func() error {
				_, err := h.Start(proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p})
				return err
			}
			ahead = 2 * time.Hour
			refusal(t, start(), proto.CodeGate, "has expired")
			write(audit.ActionRefused)(t, h) // as a session does
			ahead = 0
			for range 3 {
				err := start()
				refusal(t, err, proto.CodeGate, "gate 10 (clock)")
				if advice := err.(*proto.Error).Advice; advice.Code != proto.AdviceClockReset {
					t.Errorf("advice = %+v", advice)
				}
				write(audit.ActionRefused)(t, h)
				between(t, h)
			}
			// What root accepts opens the gate again.
			write(audit.ActionClock)(t, h)
			if name != "another approval" && start() != nil {
				t.Error("the clock was accepted, and the gate stays closed")
			}
		})
	}
}

// TestClockIsNotGuessed: an audit that cannot be read opens nothing.
func TestClockIsNotGuessed(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	h.Service.Audit = audit.New("/dev/null/none")
	if _, err := h.Start(proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p}); err == nil {
		t.Error("it was started")
	}
}
