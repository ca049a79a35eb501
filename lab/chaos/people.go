package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// peopleFaults are what operators do to a plan that runs.
var peopleFaults = []fault{
	{name: "Ctrl-C storm (10)", strike: signalled(slices.Repeat([]syscall.Signal{syscall.SIGINT}, 10)...)},
	{name: "laptop asleep past every deadline", strike: pastDeadlines, grace: 2 * asleepFor},
	{name: "rpctl cancel", strike: cancelled()},
	{name: "rpctl cancel --now", strike: cancelled("--now")},
	{name: "agent upgraded", strike: agentReplaced},
}

const (
	// patienceOfHost is for how long an embedded host here hears nothing of a caller before it gives him up:
	// more than the ping of rpctl (10 s), and less than the protocol's 30 s.
	patienceOfHost = 15 * time.Second
	asleepFor      = 20 * time.Second
)

// pastDeadlines stops rpctl for longer than the host waits and than its own keepalive would.
func pastDeadlines(ctx context.Context, _ *run, p *process, _ hit) bool {
	if p.gone() {
		return false
	}
	p.signal(syscall.SIGSTOP)
	pause(ctx, asleepFor)
	p.signal(syscall.SIGCONT)
	return true
}

// cancelled has a colleague ask for the end of the job.
func cancelled(words ...string) func(context.Context, *run, *process, hit) bool {
	return func(_ context.Context, r *run, _ *process, _ hit) bool {
		running := r.stage.unended()
		if len(running) == 0 {
			return false
		}
		return r.beside(append([]string{"cancel", string(running[0]), "--env", environment}, words...)...)
	}
}

// agentReplaced gives the host another agent: who connects from now on meets it, and so does the job, whose
// runner is replaced. What was connected before still speaks with the old one.
func agentReplaced(_ context.Context, r *run, p *process, _ hit) bool {
	running := r.stage.host().Running()
	running.Upgrade("v9.9.9-chaos")
	for _, id := range r.stage.unended() {
		running.Jobs().KillRunner(id)
	}
	return !p.gone()
}

// habits are what else an operator does with a plan.
type habits struct {
	glass  bool // passes the approval with a reason
	done   bool // says of a step that it is done, before asking for the rest of it
	behind bool // carries the plan to prod, too early at first
}

func randomHabits(random *rand.Rand) habits {
	return habits{glass: random.IntN(8) == 0, done: random.IntN(2) == 0, behind: random.IntN(5) == 0}
}

// glassReason is what must be read of it ever after.
const glassReason = "chaos: nobody can be reached"

// unapproved: without an approval, and without breaking the glass, nothing begins.
func (r *run) unapproved(ctx context.Context, i int) {
	starts := r.stage.starts()
	p := r.follow(ctx, "migrate", "--apply", "--plan", r.files[i], "--env", environment, "--yes", "--raw")
	if p == nil || ctx.Err() != nil {
		return
	}
	if p.code != exitRefused || !strings.Contains(p.stderr.String(), "gate 3 (approval)") {
		r.violation("an apply without approval ended with %d: %s", p.code, last(p.stderr.String()))
	}
	if now := r.stage.starts(); now != starts {
		r.violation("an apply without approval started the console %d times", now-starts)
	}
}

// brokenGlass is read in the audit and in the receipts of plans that passed closed gates.
func (r *run) brokenGlass() {
	audit, err := os.ReadFile(r.stage.State("audit.jsonl"))
	if err != nil {
		r.violation("%v", err)
	}
	for i, p := range r.plans {
		kept, _, err := r.stage.plan(p.Ticket)
		if err != nil || kept.applied == nil {
			continue // said elsewhere
		}
		var applied proto.Applied
		if err := json.Unmarshal([]byte(kept.applied.Body), &applied); err != nil || applied.BreakGlass != glassReason {
			r.violation("the receipt of plan %d does not say that the glass was broken: %q, %v", i, applied.BreakGlass, err)
		}
		told := false
		for line := range bytes.Lines(audit) {
			told = told || bytes.Contains(line, []byte("BREAK-GLASS")) && bytes.Contains(line, []byte(applied.Job)) && bytes.Contains(line, []byte(glassReason))
		}
		if !told {
			r.violation("the audit does not say that job %s broke the glass", applied.Job)
		}
	}
}
