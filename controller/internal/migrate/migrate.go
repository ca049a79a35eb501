// Package migrate is the flows of `rpctl migrate` and of jobs: simulate a plan on
// a host, apply it, follow what runs, approve figures, show where a plan stands.
// Each flow has a file. The host judges; what is refused here already is a courtesy.
//
// The procedure is that of the runbook "RP - Migration des dossiers usagers".
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// Sink shows or writes events. Emit is called by one goroutine at a time, and must
// neutralise what a host says before a terminal sees it.
type Sink interface {
	Emit(event.Event)
}

// Console takes what a job's console printed.
type Console interface {
	// Print gets the bytes of one stream in their order; offset is where they stand
	// in the whole stream. An error ends the following, not the job.
	Print(stream string, offset int64, raw []byte) error
	// End is called once nothing more comes.
	End()
}

// World is what the flows work with; tests put fakes here.
type World struct {
	Fleet   *fleet.Fleet
	Sink    Sink
	Console Console
	// Fits says whether a host enforces what hosts.toml says of it.
	Fits func(environment inventory.Environment, host string, hello proto.Hello) error
	// Receipts says whether the host reports the receipt key that is pinned for it, Accepts whether it accepts the keys
	// of the repository's files and no others; ErrNoDigests is an agent that does not report that.
	Receipts, Accepts func(environment inventory.Environment, hello proto.Hello) error
	// Intact refuses a host whose audit is not the one that was seen before; nil asks nothing.
	Intact func(fleet.Target) error
	// Confirmed is the command that was typed, with the flag that goes for the answer.
	Confirmed string
	// Confirm asks the operator to type something; nil where there is no terminal.
	Confirm func(ctx context.Context, question string) (string, error)
	// Interrupts asks for the next Ctrl-C instead of its usual effect, from the call on until
	// stop is called. Nil where there is none to be had.
	Interrupts func() (next <-chan struct{}, stop func())
	// Sign signs body with the operator's key for an alias, or with keyFile where one is named.
	Sign   func(ctx context.Context, alias, keyFile, namespace, body string) (proto.Signed, error)
	Random io.Reader // for ids and nonces: crypto/rand
	Now    func() time.Time
}

// Options are what the operator asked for.
type Options struct {
	Environment inventory.Environment
	All         []inventory.Environment // of hosts.toml
	Operator    string                  // user@machine, as told to the host
	PlanPath    string
	Plan        plan.Plan
	Yes         bool   // confirmed on the command line
	Key         string // file of the key to sign with; empty: the first that a login would offer
}

// run is one flow at work.
type run struct {
	World
	Options
	store   store
	applies bool // the plan is applied, or it is shown where it stands: what may be applied next is a part of the answer
}

func newRun(world World, options Options) *run {
	return &run{World: world, Options: options, store: storeOf(options.PlanPath)}
}

// answerTime bounds the questions that a host answers from what it has at hand.
const answerTime = time.Minute

// target is the host that runs an environment's console commands.
func target(e inventory.Environment) (fleet.Target, error) {
	if e.Console == nil {
		return fleet.Target{}, &exit.Error{
			Code: exit.BadInput, Message: fmt.Sprintf("%s runs no migrations: hosts.toml has no [environments.%s.console] with php and script", e.Name, e.Name),
			Next: "rpctl agent upgrade --env " + e.Name,
		}
	}
	return fleet.Target{Environment: e.Name, Host: e.ConsoleHost}, nil
}

// reach connects to an environment's console host and holds it against hosts.toml.
func (r *run) reach(ctx context.Context, e inventory.Environment) (fleet.Target, fleet.Agent, error) {
	to, err := target(e)
	if err != nil {
		return to, nil, err
	}
	got := r.Fleet.Connect(ctx, []fleet.Target{to}, nil)[0]
	if got.Err != nil {
		return to, nil, got.Err
	}
	if r.Fits != nil {
		if err := r.Fits(e, to.Host, got.Value.Hello); err != nil {
			_ = got.Value.Agent.Close() // the difference is what is told
			return to, nil, err
		}
	}
	return to, got.Value.Agent, nil
}

// ErrNoDigests says that an agent does not report which keys it accepts.
var ErrNoDigests = errors.New("the agent reports no digests of keys")

// reachPinned is reach for the flow's own environment, whose receipts are shown and kept: its key must be pinned, and
// must be the one that the host reports, or what it signs in the end would not count.
func (r *run) reachPinned(ctx context.Context) (fleet.Target, fleet.Agent, error) {
	to, err := target(r.Environment)
	if err != nil {
		return to, nil, err
	}
	if _, err := r.pinned(r.Environment.Name); err != nil {
		return to, nil, err
	}
	to, agent, err := r.reach(ctx, r.Environment)
	if err != nil || r.Receipts == nil {
		return to, agent, err
	}
	hello, err := agent.Hello(ctx)
	if err == nil {
		err = r.Receipts(r.Environment, hello)
	}
	if err != nil {
		_ = agent.Close() // the difference is what is told
		return to, nil, err
	}
	return to, agent, nil
}

// accepts refuses a host whose gates accept other keys than the repository's files have: of a person who left, say.
// An agent that does not report them is told.
func (r *run) accepts(ctx context.Context, to fleet.Target, agent fleet.Agent) error {
	if r.Accepts == nil {
		return nil
	}
	hello, err := agent.Hello(ctx)
	if err != nil {
		return err
	}
	err = r.Accepts(r.Environment, hello)
	if errors.Is(err, ErrNoDigests) {
		r.emit(to, event.Event{Kind: event.Warning, Text: exit.From(err).Message, Next: exit.From(err).Next})
		return nil
	}
	return err
}

// call asks for one thing that takes no long time.
func call(ctx context.Context, agent fleet.Agent, op proto.Op, args, result any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return agent.Call(ctx, op, args, result, nil)
}

// command is what to type next, for this plan and an environment.
func (o Options) command(words, environment string) string {
	return "rpctl " + words + " --plan " + exit.Word(o.PlanPath) + " --env " + environment
}

// place is what a host's advice about this plan is followed from.
func (r *run) place(to fleet.Target) exit.Place {
	place := exit.Place{Host: to.Host, Environment: to.Environment, Plan: r.PlanPath, Apply: r.applies}
	if e, ok := r.environment(to.Environment); ok {
		place.Before = e.After
	}
	for _, step := range r.Plan.Steps() {
		place.Steps = append(place.Steps, step.ID)
	}
	return place
}

// advised is err with the advice of a host in it as a command about this plan; nil stays nil.
func (r *run) advised(to fleet.Target, err error) error {
	if err == nil {
		return nil
	}
	return r.place(to).From(err)
}

// emit tells an event of the host that is spoken to.
func (w World) emit(to fleet.Target, e event.Event) {
	e.Environment, e.Host = to.Environment, to.Host
	e.Time = w.Now().UTC()
	w.Sink.Emit(e)
}

// warn says something to know that stops nothing.
func (w World) warn(to fleet.Target, format string, args ...any) {
	w.emit(to, event.Event{Kind: event.Warning, Text: fmt.Sprintf(format, args...)})
}
