package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/proto"
)

// recordTime bounds the last word to a host; it is said after an interruption too. A host that is busy takes seconds.
const recordTime = 15 * time.Second

// What the workers of a host run, as HostReport.Code says it.
const (
	codeNew       = "new code"
	codeOld       = "old code"
	codeNotProved = "not proved"
	codeUnchanged = "unchanged"
	codeUnknown   = "unknown"
)

// report has every host remember how it went, gives the leases back, and tells the operator.
func (r *run) report(ctx context.Context, steps []step) error {
	r.emit(event.Event{Kind: event.Step, Step: stepReport, State: event.Began})
	began := r.Now()
	failure := r.conclude(ctx)
	r.record(context.WithoutCancel(ctx), failure)
	r.release()
	for _, name := range names(steps)[len(r.reports):len(steps)] {
		r.reports = append(r.reports, event.StepReport{Step: name, Result: "not begun"})
	}
	took := r.Now().Sub(began).Milliseconds()
	r.reports = append(r.reports, event.StepReport{Step: stepReport, Result: "ok", DurationMS: took})
	r.emit(event.Event{Kind: event.Step, Step: stepReport, State: event.Ended, Result: "ok", DurationMS: took})
	r.emit(event.Event{Kind: event.Summary, Summary: r.summary(failure)})
	if failure != nil {
		return failure
	}
	if r.operation != opRestart && !slices.Contains(r.Skip, stepAnnounce) {
		r.emit(event.Event{Kind: event.Message, Text: closing(r.operation, r.Environment.Name)})
	}
	return nil
}

// conclude is the one failure that the whole operation ends with, or nil.
func (r *run) conclude(ctx context.Context) *exit.Error {
	if r.failure == nil {
		return nil
	}
	failure := *exit.From(r.failure)
	switch {
	case failure.Code == exit.Interrupted && r.stopped(ctx):
		failure.Message, failure.Next = r.interrupted(failure.Message)
	case r.judged() != nil: // a bad verdict is worth more than a lost host
		failure = *exit.From(r.judged())
		if r.halted {
			failure = r.spent(failure)
		}
	case r.halted:
		failure = r.spent(failure)
	case r.incomplete():
		failure = exit.Error{
			Code:    exit.Partial,
			Message: r.whoIsLeft(),
			Next:    "rpctl restart --env " + r.Environment.Name,
			Err:     r.failure,
		}
	}
	return &failure
}

// incomplete says that some hosts were brought to the new code and others were not, or are unknown.
func (r *run) incomplete() bool {
	begun, out, lost, good := r.switched, false, false, false
	for _, h := range r.hosts {
		begun = begun || h.asked
		out = out || h.err != nil
		lost = lost || errors.Is(h.err, fleet.ErrLost)
		good = good || (h.err == nil && len(h.verdicts) > 0)
	}
	return begun && out && (lost || good)
}

func (r *run) whoIsLeft() string {
	var done int
	var left []string
	for _, h := range r.hosts {
		if code := r.codeOf(h); code == codeNew {
			done++
		} else {
			left = append(left, fmt.Sprintf("%s runs %s", h.name(), orUnknown(code)))
		}
	}
	return fmt.Sprintf("%d of %d hosts are done; %s", done, len(r.hosts), few(left))
}

func orUnknown(code string) string {
	if code == codeUnknown {
		return "code that is not known (it was lost, or failed, while it restarted)"
	}
	return code
}

// interrupted says what an interruption left, and what to type next.
func (r *run) interrupted(where string) (message, next string) {
	env := r.Environment.Name
	restarted, total := 0, 0
	asked, proved := false, true
	for _, h := range r.hosts {
		restarted += h.begun()
		total += h.units()
		asked = asked || h.asked
		proved = proved && r.codeOf(h) == codeNew
	}
	switch {
	case proved:
		return where + ": all workers run the new code", "rpctl status --env " + env
	case asked && restarted == total:
		return where + fmt.Sprintf(": all %d units were seen to start again, not all were proved", total),
			"rpctl status --env " + env // a restart would stop them a second time
	case asked:
		return fmt.Sprintf("%s: %d of %d units were seen to start again", where, restarted, total), r.finish()
	case r.switched:
		return where + ": `current` has moved, no worker was restarted", r.finish()
	case r.commanded:
		return where + ": the " + r.operation + " command was stopped, `current` may have moved; no worker was restarted",
			"rpctl status --env " + env
	default:
		return where + ": no host was changed", r.again()
	}
}

// finish is the command that brings the workers to the current release.
func (r *run) finish() string {
	if r.operation == opRestart {
		return r.again()
	}
	return "rpctl restart --env " + r.Environment.Name
}

// touched says that the deploy command ran, or that a restart was asked for.
func (r *run) touched() bool {
	return r.commanded || slices.ContainsFunc(r.hosts, func(h *host) bool { return h.asked })
}

// record tells every host that can still be reached how it went, for its audit.
func (r *run) record(ctx context.Context, failure *exit.Error) {
	args := proto.RecordArgs{Result: "succeeded", Revision: r.revision}
	if failure != nil {
		args.Result, args.Detail = "failed", failure.Error()
		if !r.touched() {
			args.Result = proto.NotBegun
		}
	}
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	byName := map[string]*host{}
	var targets []fleet.Target
	for _, h := range r.hosts {
		if h.leased && !errors.Is(h.err, fleet.ErrLost) {
			byName[h.name()] = h
			targets = append(targets, h.target)
		}
	}
	tell := func(ctx context.Context, target fleet.Target) (struct{}, error) {
		return struct{}{}, byName[target.Host].agent.Call(ctx, proto.OpRecord, args, nil, nil)
	}
	fleet.Each(ctx, fleet.DefaultLimit, targets, tell, func(result fleet.Result[struct{}]) {
		if result.Err != nil {
			r.emit(event.Event{
				Kind: event.Warning, Host: result.Target.Host,
				Text: "the host could not note the result in its audit: " + result.Err.Error(),
			})
		}
	})
}

func (r *run) summary(failure *exit.Error) *event.Report {
	report := &event.Report{
		Operation: r.operation, Environment: r.Environment.Name, Operator: r.Operator,
		Result: exit.OK.String(), Revision: r.revision, Steps: r.reports,
		DurationMS: r.Now().Sub(r.began).Milliseconds(),
	}
	if failure != nil {
		report.Result, report.Exit, report.Next = failure.Code.String(), int(failure.Code), failure.Next
	}
	for _, h := range r.hosts {
		report.Hosts = append(report.Hosts, r.hostReport(h))
	}
	return report
}

func (r *run) hostReport(h *host) event.HostReport {
	report := event.HostReport{Host: h.name(), Code: r.codeOf(h), Units: h.units()}
	if h.before != nil {
		report.Before, report.After = h.before.Name, h.before.Name
	}
	switch {
	case h.after != nil:
		report.After = h.after.Name
	case r.unseen(h):
		report.After = ""
	}
	for _, v := range h.verdicts {
		if v.OK() {
			report.Good++
		}
		if v.Verdict != proto.VerdictProved {
			report.Problems = append(report.Problems, v.Unit+": "+string(v.Verdict)+because(string(v.Why)))
		}
	}
	if h.err != nil {
		report.Problems = append(report.Problems, exit.From(h.err).Message)
	}
	return report
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

// unseen says that the command ran, and that nobody has looked at what it did to a host.
func (r *run) unseen(h *host) bool { return r.commanded && !r.switched && h.after == nil }

// codeOf is what a host's workers run, as far as it is proved.
func (r *run) codeOf(h *host) string {
	switch {
	case len(h.verdicts) > 0:
		for _, v := range h.verdicts {
			if !v.OK() && !v.NewCode {
				return codeNotProved
			}
		}
		return codeNew
	case h.asked:
		return codeUnknown
	case r.switched, h.moved():
		return codeOld
	case r.unseen(h):
		return codeUnknown
	default:
		return codeUnchanged
	}
}
