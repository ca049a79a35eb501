package migrate

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// unwritable puts a file where the folder of receipts shall be.
func (d *desk) unwritable(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(newRun(d.world, d.options).store.folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestLocalFilesAreNotTheHostsFault: a folder that cannot be written, and keys that cannot be read.
func TestLocalFilesAreNotTheHostsFault(t *testing.T) {
	junk := func(t *testing.T, d *desk) {
		if err := os.WriteFile(d.options.Environment.TrustedHosts.Path(), []byte("junk\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		spoil         func(t *testing.T, d *desk)
		code          exit.Code
		message, next string
	}{
		{func(t *testing.T, d *desk) { d.unwritable(t) }, exit.LocalFailed, ".receipts", "ls -l"},
		{junk, exit.BadInput, "trusted_hosts:1:", "git diff --"},
	} {
		d, h := applying(t, "preprod")
		c.spoil(t, d)
		h.status.Simulation = h.signed(t, proto.NamespaceSimulation, h.simulation(d.options.Plan))
		h.job.Receipt, h.job.Steps = h.status.Simulation, nil
		for name, err := range map[string]error{
			"simulate": Simulate(t.Context(), d.world, d.options),
			"approve":  Approve(t.Context(), d.world, d.options, Approving{By: "bob", Days: 7}),
		} {
			check(t, err, c.code, c.message, c.next)
			if failure := exit.From(err); failure.Host != "" || strings.Contains(failure.Message, "sent a receipt") {
				t.Errorf("%s: the host is blamed: %v", name, err)
			}
		}
	}
}

// TestAnUnwritableReceiptLeavesTheOutcome: the plan was applied; the table is shown, and what fetches the receipt.
func TestAnUnwritableReceiptLeavesTheOutcome(t *testing.T) {
	d, h := applying(t, "preprod")
	inTheWay := newRun(d.world, d.options).store.path("preprod" + appliedFile)
	if err := os.MkdirAll(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Apply(t.Context(), d.world, d.options, Applying{}); err != nil {
		t.Fatal(err)
	}
	tables, warned := d.of(event.Applied), d.of(event.Warning)
	if len(tables) != 1 || len(tables[0].Applied.Steps) != 2 {
		t.Errorf("tables: %+v", tables)
	}
	if len(warned) != 1 || !strings.Contains(warned[0].Text, "cannot keep a receipt") || !strings.Contains(warned[0].Next, "migrate status --plan") {
		t.Errorf("warnings: %+v", warned)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	h.status.Applied = h.job.Receipt
	if err := Status(t.Context(), d.world, d.options, d.options.All[1:]); err != nil {
		t.Fatal(err)
	}
	if _, err := newRun(d.world, d.options).storedApplied("preprod"); err != nil {
		t.Errorf("status did not fetch it: %v", err)
	}
}

// TestWhatComesBeforeIsBrought: status of one environment and approve ask the gates with the receipt of the
// environment before it, which lies beside the plan or is fetched.
func TestWhatComesBeforeIsBrought(t *testing.T) {
	for name, do := range map[string]func(*desk) error{
		"status":  func(d *desk) error { return Status(t.Context(), d.world, d.options, d.options.All[:1]) },
		"approve": func(d *desk) error { return Approve(t.Context(), d.world, d.options, Approving{By: "bob", Days: 7}) },
	} {
		d, prod := applying(t, "prod")
		d.answers = []string{"yes", "yes"}
		preprod := d.hosts["pp1"]
		preprod.status = proto.PlanStatus{Applied: preprod.signed(t, proto.NamespaceApplied, preprod.applied(d.options.Plan))}
		prod.status.Simulation = prod.signed(t, proto.NamespaceSimulation, prod.simulation(d.options.Plan))
		for _, from := range []string{"its host", "beside the plan"} {
			prod.brought = nil
			if err := do(d); err != nil {
				t.Fatal(name, err)
			}
			last := prod.brought[len(prod.brought)-1]
			if len(last.Receipts) != 1 || last.Receipts[0].Body != preprod.status.Applied.Body {
				t.Errorf("%s, %s: brought %+v", name, from, last.Receipts)
			}
		}
		if preprod.dials != 1 {
			t.Errorf("%s: preprod was asked %d times, and its receipt lies beside the plan", name, preprod.dials)
		}
	}
}

// TestLostOutputOfAnEndedJob says nothing of a job that goes on.
func TestLostOutputOfAnEndedJob(t *testing.T) {
	f := &follower{saw: tracker{state: proto.JobFailed}}
	if got := f.standing(); got != "had ended (failed)" {
		t.Errorf("got %q", got)
	}
}

// TestDriftStaysClosedUntilASimulation: after gate 5 stopped a step, status names the job's own next command.
func TestDriftStaysClosedUntilASimulation(t *testing.T) {
	d, h := applying(t, "preprod")
	simulation := h.simulation(d.options.Plan)
	h.status.Simulation = h.signed(t, proto.NamespaceSimulation, simulation)
	h.status.Steps = []proto.JobStep{{Step: "1.1", State: proto.StepStopped, Ended: simulation.Time.Add(time.Minute)}}
	const worded = "step 1.1 was not begun: gate 5 (drift) is closed: 40 instead of 41"
	again := "rpctl migrate --plan " + d.options.PlanPath + " --env preprod"
	for _, c := range []struct {
		simulated time.Duration
		state     proto.StepState
		gate      int
		detail    string
		open      bool
	}{
		{0, proto.StepStopped, 5, "the data are others", false},
		{0, proto.StepStopped, 0, worded, false}, // an older agent
		{0, proto.StepStopped, 8, worded, true},
		{2 * time.Minute, proto.StepStopped, 5, worded, true},
		{0, proto.StepVerified, 5, worded, true},
	} {
		newer := simulation
		newer.Time = newer.Time.Add(c.simulated)
		h.status.Simulation = h.signed(t, proto.NamespaceSimulation, newer)
		h.status.Gates = openGates()
		h.status.Steps[0].State, h.status.Steps[0].Gate, h.status.Steps[0].Detail = c.state, c.gate, proto.HostText(c.detail)
		d.events = nil
		if err := Status(t.Context(), d.world, d.options, d.options.All[1:]); err != nil {
			t.Fatal(err)
		}
		shown := d.of(event.Gates)[0]
		if gate := shown.PlanStatus.Gates[4]; gate.Open != c.open || (shown.Next == again) == c.open {
			t.Errorf("%+v: gate %+v, next %q", c, gate, shown.Next)
		}
	}
	h.status.Gates, h.status.Steps[0].State, h.status.Steps[0].Gate = openGates(), proto.StepStopped, drift
	if err := Apply(t.Context(), d.world, d.options, Applying{}); err != nil {
		t.Errorf("the host judges the data as they are: %v", err)
	}
}

// TestCancelNowSaysWhatHappens: the running command is not waited for.
func TestCancelNowSaysWhatHappens(t *testing.T) {
	for _, now := range []bool{true, false} {
		d, _ := applying(t, "preprod")
		if err := Cancel(t.Context(), d.world, d.options.Environment, "abcdefgh", now); err != nil {
			t.Fatal(err)
		}
		if told := d.of(event.Job); len(told) != 1 || strings.Contains(told[0].Text, "at once") != now {
			t.Errorf("now %v: %+v", now, told)
		}
	}
}

// TestCtrlCAtTheQuestion says that nothing was changed.
func TestCtrlCAtTheQuestion(t *testing.T) {
	d, _ := applying(t, "prod")
	ctx, cancel := context.WithCancel(t.Context())
	d.world.Confirm = func(ctx context.Context, _ string) (string, error) { cancel(); return "", ctx.Err() }
	check(t, Apply(ctx, d.world, d.options, Applying{}), exit.Interrupted, "nothing was changed", "")
}
