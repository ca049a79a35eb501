package migrate

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// simulating is a desk whose preprod host simulates well.
func simulating(t *testing.T) (*desk, *fakeHost) {
	d := newDesk(t)
	h := d.hosts["pp1"]
	h.stdout = []byte("\x1b[32m table\r\n\xff\x00")
	h.job.Receipt = h.signed(t, proto.NamespaceSimulation, h.simulation(d.options.Plan))
	h.job.Steps = []proto.JobStep{{Step: "1.1", State: proto.StepSimulated}, {Step: "1.2", State: proto.StepSimulated}}
	return d, h
}

func TestSimulate(t *testing.T) {
	d, h := simulating(t)
	if err := Simulate(t.Context(), d.world, d.options); err != nil {
		t.Fatal(err)
	}
	start := h.starts[0]
	if start.Kind != proto.KindSimulate || len(start.ID) != idLength || !start.ID.Valid() || start.Intent != nil {
		t.Errorf("started %+v", start)
	}
	if !bytes.Equal(d.console[proto.Stdout].Bytes(), h.stdout) {
		t.Errorf("shown %q", d.console[proto.Stdout])
	}
	figures := d.of(event.Figures)
	if len(figures) != 1 || figures[0].Simulation.Steps[1].Forecast.OriginAfter != 109 || !strings.HasPrefix(figures[0].Next, "rpctl migrate report --plan "+d.options.PlanPath) {
		t.Errorf("figures %+v", figures)
	}
	if steps := d.of(event.JobStep); len(steps) != 2 {
		t.Errorf("%d steps were told", len(steps))
	}
	folder := strings.TrimSuffix(d.options.PlanPath, ".toml") + ".receipts/"
	body, err := os.ReadFile(folder + "preprod-simulation.json")
	if err != nil || string(body) != h.job.Receipt.Body {
		t.Errorf("%v, stored %q", err, body)
	}
	sshKeygen(t, folder, d.options.Environment.TrustedHosts.Path(), body)
	if _, err := os.Stat(folder + "allowed_signers"); err == nil {
		t.Error("a file in the folder says whose signature counts")
	}
}

// sshKeygen checks a stored receipt as the folder's README says.
func sshKeygen(t *testing.T, folder, trusted string, body []byte) {
	t.Helper()
	program, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Log("no ssh-keygen here")
		return
	}
	readme, err := os.ReadFile(folder + "README.md")
	if err != nil || !strings.Contains(string(readme), "-Y verify -f TRUSTED_HOSTS -I HOST -n simulation@rpctl -s preprod-simulation.json.sig < preprod-simulation.json") {
		t.Errorf("%v, the README says\n%s", err, readme)
	}
	command := exec.CommandContext(t.Context(), program, "-Y", "verify", "-f", trusted, "-I", "pp1", "-n", "simulation@rpctl", "-s", "preprod-simulation.json.sig")
	command.Dir, command.Stdin = folder, bytes.NewReader(body)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestSimulateNamesAnOpenConflict(t *testing.T) {
	d, h := simulating(t)
	s := h.simulation(d.options.Plan)
	s.Steps[1].Result.Conflicts = []proto.Conflict{{Centre: 4537, Accommodation: 892, Staying: []int64{1042}, Moving: []int64{1035}}}
	h.job.Receipt = h.signed(t, proto.NamespaceSimulation, s)
	if err := Simulate(t.Context(), d.world, d.options); err != nil {
		t.Fatal(err)
	}
	if next := d.of(event.Figures)[0].Next; !strings.HasPrefix(next, "rpctl migrate --plan") {
		t.Errorf("next %q", next)
	}
	if told := d.of(event.Warning); len(told) != 1 || !strings.Contains(told[0].Text, "accommodation 892 of step 1.2") {
		t.Errorf("warnings %+v", told)
	}
}

// TestSimulateRefusesBadReceipts: what a host sends is believed as far as it is signed, and of this plan.
func TestSimulateRefusesBadReceipts(t *testing.T) {
	for name, spoil := range map[string]func(d *desk, h *fakeHost) *proto.Signed{
		"none": func(*desk, *fakeHost) *proto.Signed { return nil },
		"changed": func(_ *desk, h *fakeHost) *proto.Signed {
			s := *h.job.Receipt
			s.Body = strings.Replace(s.Body, "41", "42", 1)
			return &s
		},
		"of another plan": func(d *desk, h *fakeHost) *proto.Signed {
			s := h.simulation(d.options.Plan)
			s.Plan = strings.Repeat("0", 64)
			return h.signed(t, proto.NamespaceSimulation, s)
		},
		"of another environment": func(d *desk, h *fakeHost) *proto.Signed {
			s := h.simulation(d.options.Plan)
			s.Environment = "prod"
			return h.signed(t, proto.NamespaceSimulation, s)
		},
		"of fewer steps": func(d *desk, h *fakeHost) *proto.Signed {
			s := h.simulation(d.options.Plan)
			s.Steps = s.Steps[:1]
			return h.signed(t, proto.NamespaceSimulation, s)
		},
		"for another purpose": func(d *desk, h *fakeHost) *proto.Signed {
			return h.signed(t, proto.NamespaceApplied, h.simulation(d.options.Plan))
		},
		"of a host with a pattern for a name": func(d *desk, h *fakeHost) *proto.Signed {
			s := h.simulation(d.options.Plan)
			s.Host = "*"
			return h.signed(t, proto.NamespaceSimulation, s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, h := simulating(t)
			h.job.Receipt = spoil(d, h)
			check(t, Simulate(t.Context(), d.world, d.options), exit.HostFailed, "receipt", "rpctl doctor --env preprod")
			if _, err := os.Stat(storeOf(d.options.PlanPath).path("preprod-simulation.json")); err == nil {
				t.Error("it was stored")
			}
		})
	}
}

func TestAnotherKeyThanThePinnedOneIsRefused(t *testing.T) {
	d, h := simulating(t)
	h.key = newKey(t)
	d.console[proto.Stdout].Reset()
	h.job.Receipt = h.signed(t, proto.NamespaceSimulation, h.simulation(d.options.Plan))
	check(t, Simulate(t.Context(), d.world, d.options), exit.HostFailed, "trusted_hosts has the key that is pinned", "rpctl doctor")
}

// TestStartIsAskedAgainWithTheSameID: an answer that was lost must not start a second job.
func TestStartIsAskedAgainWithTheSameID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, h := simulating(t)
		h.lose, h.down = 2, 0
		if err := Simulate(t.Context(), d.world, d.options); err != nil {
			t.Fatal(err)
		}
		if len(h.starts) != 3 || h.starts[0].ID != h.starts[2].ID {
			t.Errorf("%d starts", len(h.starts))
		}
	})
}

func TestStartThatIsNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, h := simulating(t)
		h.lose = 100
		check(t, Simulate(t.Context(), d.world, d.options), exit.Failed, "whether job", "rpctl jobs --env preprod")
		if len(h.starts) != startTries {
			t.Errorf("%d starts", len(h.starts))
		}
	})
}

func TestSimulateAPlanThatHasBegun(t *testing.T) {
	d, h := simulating(t)
	h.job.Receipt = nil
	check(t, Simulate(t.Context(), d.world, d.options), exit.HostFailed, "sent no receipt", "rpctl doctor")

	for seen, want := range map[bool]string{false: "rpctl migrate report", true: "rpctl migrate status"} { // figures that are new, and those of before
		d, h = simulating(t)
		left := int64(3)
		h.job.Steps[0].Remaining = &left
		if seen {
			r := newRun(d.world, d.options)
			to, _ := target(r.Environment)
			if _, err := r.keepSimulation(to, h.job.Receipt); err != nil {
				t.Fatal(err)
			}
		}
		if err := Simulate(t.Context(), d.world, d.options); err != nil {
			t.Fatal(err)
		}
		if shown := d.of(event.Figures); len(shown) != 1 || !strings.HasPrefix(shown[0].Next, want) {
			t.Errorf("shown %+v, want next %s", shown, want)
		}
	}
	d, h = simulating(t)
	h.job.Receipt = nil
	for i := range h.job.Steps {
		h.job.Steps[i].State = proto.StepVerified
	}
	if err := Simulate(t.Context(), d.world, d.options); err != nil {
		t.Fatal(err)
	}
	warnings := d.of(event.Warning)
	if len(warnings) != 1 || !strings.Contains(warnings[0].Text, "nothing is left to simulate") || !strings.HasPrefix(warnings[0].Next, "rpctl migrate status --plan ") {
		t.Errorf("warned %+v", warnings)
	}
}

// TestSimulateTellsWhatIsLeftOfKeptFigures: where the host keeps the earlier figures, the table does not say how many are left.
func TestSimulateTellsWhatIsLeftOfKeptFigures(t *testing.T) {
	for name, c := range map[string]struct {
		state proto.StepState
		left  int64
		want  string
	}{
		"kept":     {proto.StepSimulated, 29, "29 are left to move of step 1.1: the figures are still the earlier simulation's (41)"},
		"new":      {proto.StepSimulated, 41, ""},
		"verified": {proto.StepVerified, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d, h := simulating(t)
			h.job.Steps[0].State, h.job.Steps[0].Remaining = c.state, &c.left
			if err := Simulate(t.Context(), d.world, d.options); err != nil {
				t.Fatal(err)
			}
			told := d.of(event.Warning)
			if c.want == "" && len(told) != 0 || c.want != "" && (len(told) != 1 || !strings.HasPrefix(told[0].Text, c.want)) {
				t.Errorf("warned %+v, want %q", told, c.want)
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	three := int64(3)
	for _, c := range []struct {
		job           proto.Job
		code          exit.Code
		message, next string
	}{
		{proto.Job{Kind: proto.KindSimulate, State: proto.JobCancelled, Steps: []proto.JobStep{{Step: "1.1", State: proto.StepSimulated}, {Step: "1.2", State: proto.StepPending}}}, exit.Failed, "was cancelled; 1 of 2 steps are done", "rpctl migrate"},
		{proto.Job{Kind: proto.KindApply, State: proto.JobCancelled, Steps: []proto.JobStep{{Step: "1.1", State: proto.StepVerified}, {Step: "1.2", State: proto.StepSimulated}}}, exit.Failed, "was cancelled; 1 of 2 steps are done", "rpctl migrate"},
		{proto.Job{State: proto.JobInterrupted, Steps: []proto.JobStep{{Step: "1.1", State: proto.StepInterrupted, Remaining: &three}}}, exit.Failed, "step 1.1 is interrupted with 3 left to move", "rpctl migrate"},
		{proto.Job{Kind: proto.KindApply, State: proto.JobFailed, Steps: []proto.JobStep{{Step: "1.1", State: proto.StepVerified}, {Step: "1.2", State: proto.StepStopped}, {Step: "2.1", State: proto.StepSimulated}}}, exit.Failed, "1 of 3 steps are done, step 1.2 is stopped", "rpctl migrate"},
		{proto.Job{State: proto.JobFailed, Error: &proto.Error{Code: proto.CodeHost, Message: "php died", Advice: proto.Advice{Code: proto.AdvicePlanStatus}}}, exit.Failed, "php died", "rpctl migrate status --plan /"},
		{proto.Job{State: proto.JobFailed, Error: &proto.Error{Code: proto.CodeGate, Message: "gate 5 (drift) is closed", Advice: proto.Advice{Code: proto.AdviceSimulate}}}, exit.Refused, "gate 5", "--plan /"},
	} {
		d, h := simulating(t)
		h.job = c.job
		check(t, Simulate(t.Context(), d.world, d.options), c.code, c.message, c.next)
	}
}

func TestAnEnvironmentWithoutConsole(t *testing.T) {
	d := newDesk(t)
	d.options.Environment.Console = nil
	check(t, Simulate(t.Context(), d.world, d.options), exit.BadInput, "runs no migrations", "rpctl agent upgrade --env preprod")
	if d.hosts["pp1"].dials > 0 {
		t.Error("the host was reached")
	}
}

func TestNewID(t *testing.T) {
	if _, err := newID(bytes.NewReader([]byte{255, 254, 0})); err == nil {
		t.Error("an id out of nothing")
	}
	id, err := newID(bytes.NewReader([]byte("\xff\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\xfb")))
	if err != nil || id != "abcdefghijklmno9" {
		t.Errorf("%q, %v", id, err)
	}
	if _, err := newNonce(bytes.NewReader(nil)); err == nil {
		t.Error("a nonce out of nothing")
	}
}
