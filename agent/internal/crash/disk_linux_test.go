package crash

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/lease"
	"github.com/re-connect/rpctl/internal/powercut"
	"github.com/re-connect/rpctl/proto"
)

// TestEveryWriteFails lets the disk fail each change at each of its system calls that write, of each trouble that can
// hit it: at that call alone, and from then on. CRASH=all tries all of them, otherwise every so many.
func TestEveryWriteFails(t *testing.T) {
	if !powercut.CanFail {
		t.Skip("no system call can be made to fail on this architecture")
	}
	for _, c := range transitions {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := &trial{transition: c, before: c.start(t)}
			at := r.restored(t, r.before)
			r.states = []string{r.look(at)}
			strikes, told := r.stage().Strikes(t, r.name, at.state)
			r.states = slices.Compact(append(r.states, told...))
			step := max(1, len(strikes)/drawn) | 1 // troubles, and their two lengths, come in turn
			if os.Getenv("CRASH") == "all" {
				step = 1
			}
			failed := 0
			for i := 0; i < len(strikes); i += step {
				r.strike(t, strikes[i])
				failed++
			}
			t.Logf("%d calls that write, %d ways to fail, %d tried", strikes[len(strikes)-1].Call, len(strikes), failed)
		})
	}
}

// drawn is how many ways to fail are tried of each change where CRASH=all does not ask for all.
const drawn = 6

// strike plays the change on a disk that fails, and then on one that is well again: in the same process, which must hold
// no lock then, and in a new one.
func (r *trial) strike(t *testing.T, strike powercut.Strike) {
	for _, again := range []bool{true, false} {
		if strike.Stays && !again { // a trouble that stays is still there when it is asked again
			return
		}
		strike.Again = again
		t.Run("", func(t *testing.T) {
			h := r.restored(t, r.before)
			out := r.stage().Fail(t, r.name, h.state, strike)
			defer func() {
				if t.Failed() {
					t.Errorf("%s: having failed %q, told %q, returned %q", strike, out.Failed, out.Told, out.Errs)
				}
			}()
			if t.Failed() || len(out.Failed) == 0 { // it may have fewer calls this time: a lock was free at once
				return
			}
			left, err := powercut.Read(h.state)
			h.must(err)
			if !strike.Stays && !strings.HasPrefix(out.Failed[0], "unlink ") {
				h.clean(left)
			}
			r.honest(open(t, h.state), out, strike)
			r.goesOn(open(t, h.state), false)
			if strike.Stays { // for so long that systemd gave up on the runner
				r.goesOn(r.restored(t, left), true)
			}
		})
	}
}

// honest holds what was said to what is there.
func (r *trial) honest(h *host, out powercut.Outcome, strike powercut.Strike) {
	h.TB.Helper()
	is := r.look(h)
	last := r.states[0]
	if n := len(out.Told); n > 0 {
		last = out.Told[n-1]
	}
	for _, problem := range out.Problems {
		if !consoleHit(out.Failed) { // nobody but systemd knows that an end was not written
			h.TB.Error(problem)
		}
	}
	done := len(out.Errs) == 0 || strike.Again && len(out.Errs) == 1
	switch {
	case strike.Again && !strike.Stays && !done:
		h.TB.Errorf("the disk was well again, and it failed once more")
	case done && is != last:
		h.TB.Errorf("it is %q, and it was done as %q", is, last)
	case len(out.Errs) > 0 && r.whole && !strike.Stays && !strike.Again && is != last:
		h.TB.Errorf("it is %q, and it failed when it was %q", is, last)
	case consoleHit(out.Failed), strike.Again: // which takes the job elsewhere: where, finish judges
	case done && last != r.states[len(r.states)-1]:
		h.TB.Errorf("it was done as %q, and should be %q", last, r.states[len(r.states)-1])
	default:
		r.known(h, out.Told)
	}
}

// clean fails where a temporary file is left by a process that could remove it.
func (h *host) clean(left powercut.Tree) {
	h.TB.Helper()
	for path := range left {
		if temporary.MatchString(path) {
			h.TB.Errorf("left at once: %s", path)
		}
	}
}

// consoleHit says that a command's output or end failed: that is systemd's to write, and a job ends badly of it.
func consoleHit(failed []string) bool {
	return slices.ContainsFunc(failed, func(call string) bool {
		return strings.Contains(call, "console/output/") || strings.Contains(call, "console/ends")
	})
}

// clear ends the scene where an error is none for a tired developer: it says what the disk said, of which file, and
// what to type.
func (h *host) clear(err error) {
	h.TB.Helper()
	text := err.Error()
	says := slices.ContainsFunc(powercut.Troubles, func(trouble powercut.Trouble) bool { return strings.Contains(text, trouble.Says()) })
	var refusal *proto.Error
	known := errors.As(err, &refusal) && refusal.Code == proto.CodeStorage && refusal.Advice.Text() != ""
	if !says || !known || !strings.Contains(text, h.state) || strings.Contains(text, "\n") || !strings.HasPrefix(text, "cannot ") {
		h.TB.Fatalf("this says too little: %q (%T)", text, err)
	}
}

// answers asks the host what it asks itself when somebody looks, while its disk fails: it answers, or says clearly
// that it cannot.
func (h *host) answers() {
	h.TB.Helper()
	h.Engine.SetAlive(job, true) // systemd starts the runner again and again
	_, jobs := h.Service.List(h.TB.Context(), proto.JobsArgs{})
	_, _, overview := h.Service.Overview(h.TB.Context())
	_, plan := h.Service.PlanStatus(h.TB.Context(), proto.PlanStatusArgs{Plan: twoSteps()})
	_, holder := lease.HolderOf(h.state)
	_, entries := audit.New(h.state).Last(9)
	for what, err := range map[string]error{"jobs": jobs, "overview": overview, "plan": plan, "holder": holder, "audit": entries} {
		if err != nil {
			h.clear(fmt.Errorf("cannot answer %s: %w", what, err))
		}
	}
}
