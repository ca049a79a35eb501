package deploy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// verdictTime bounds the wait for verdicts. The host gives each unit at most three times a minute to
// settle, and the journal ten seconds; the rest is for a host that is busy.
const verdictTime = 5 * time.Minute

// verify has a wave's hosts prove what their restarted units run, all at once: the settle
// time is waited for once.
func (r *run) verify(ctx context.Context) error {
	r.busy("waiting for the units to settle")
	r.inWave(ctx, func(ctx context.Context, h *host) error {
		if h.restarted == nil {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, verdictTime)
		defer cancel()
		var result proto.VerifyResult
		args := proto.VerifyArgs{Expect: h.restarted, Only: r.Only}
		if err := h.agent.Call(ctx, proto.OpVerify, args, &result, r.progress(h)); err != nil {
			return err
		}
		h.verdicts = result.Units
		if result.Release.Path != "" {
			h.after = &result.Release
		}
		for _, verdict := range result.Units {
			r.emit(event.Event{Kind: event.Verdict, Host: h.name(), Verdict: &verdict})
		}
		return missing(h)
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := r.judgedAmong(r.wave.hosts); err != nil {
		return goOn{err}
	}
	if err := r.notReady("what its workers run is not known"); err != nil {
		return goOn{err}
	}
	return nil
}

// missing refuses an answer that leaves a restarted unit out: silence is no proof.
func missing(h *host) error {
	judged := map[string]bool{}
	for _, v := range h.verdicts {
		judged[v.Unit] = true
	}
	for _, u := range h.restarted {
		if !judged[u.Unit] {
			return &exit.Error{Code: exit.HostFailed, Message: "the host gave no verdict on " + u.Unit}
		}
	}
	return nil
}

// judged is the bad verdicts of all hosts as one failure.
func (r *run) judged() error { return r.judgedAmong(r.hosts) }

func (r *run) judgedAmong(hosts []*host) error {
	var bad []string
	allNew := true
	for _, h := range hosts {
		for _, v := range h.verdicts {
			if !v.OK() {
				bad = append(bad, fmt.Sprintf("%s: %s: %s", h.name(), printable.Line(v.Unit), printable.Line(string(v.Verdict))))
				allNew = allNew && v.NewCode
			}
		}
	}
	if len(bad) == 0 {
		return nil
	}
	next := "rpctl logs --env " + r.Environment.Name
	if !allNew && r.operation == opDeploy && len(r.Environment.Rollback) > 0 {
		return &exit.Error{Code: exit.Failed, Next: next, Message: few(bad) + "; mend it, or `rpctl rollback --env " + r.Environment.Name + "`"}
	}
	return &exit.Error{Code: exit.Failed, Message: few(bad), Next: next}
}

// few joins what fits into a message; the whole list stands in the table.
func few(items []string) string {
	const most = 3
	if len(items) <= most {
		return strings.Join(items, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(items[:most], "; "), len(items)-most)
}

// health asks the application's own URL, where hosts.toml names one.
func (r *run) health(ctx context.Context) error {
	r.busy("asking " + r.Environment.Health.URL)
	revision := ""
	if r.operation == opDeploy {
		revision = r.revision
	}
	seen, err := r.Healthy(ctx, *r.Environment.Health, revision)
	if err != nil {
		return goOn{err}
	}
	r.emit(event.Event{Kind: event.Health, Text: seen})
	return nil
}
