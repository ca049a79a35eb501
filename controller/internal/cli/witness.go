package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/local"
	"github.com/re-connect/rpctl/controller/internal/witness"
	"github.com/re-connect/rpctl/proto"
)

// memory is where this user's rpctl keeps what it has seen of the hosts' audits.
func (a *app) memory() witness.Memory {
	config := a.sshConfig()
	if absolute, err := filepath.Abs(config); err == nil && config != "" {
		config = absolute // from another folder the same configuration means the same hosts
	}
	return witness.Memory{Folder: a.stateFolder("audits"), Config: config}
}

// audits are the hosts whose audit is not the one that was seen before, in this run of rpctl.
type audits struct {
	mu    sync.Mutex
	bad   map[fleet.Target]*witness.Problem
	quiet bool // doctor has a check of its own for it
}

func (s *audits) set(target fleet.Target, problem *witness.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad == nil {
		s.bad = map[fleet.Target]*witness.Problem{}
	}
	s.bad[target] = problem
}

func (s *audits) of(target fleet.Target) *witness.Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bad[target]
}

// witnessed is an agent whose audit is held against what is remembered, once, when its greeting has come. Who waits for the
// greeting asks for the lines in between, too, which is one more round trip where the audit has grown; who only asks for one thing does
// without, and then a longer audit is taken as it is and not remembered.
type witnessed struct {
	fleet.Agent
	app    *app
	target fleet.Target
	before recalled
	once   sync.Once
}

// recalled is what was remembered of a host before it was dialled. What another rpctl remembers after that may be
// newer than the greeting.
type recalled struct {
	seen  witness.Seen
	known bool
	err   error
}

func (a *app) recall(target fleet.Target) (r recalled) {
	r.seen, r.known, r.err = a.memory().Recall(target.Environment, target.Host)
	return r
}

// Hello is the agent's, after the audit was looked at.
func (w *witnessed) Hello(ctx context.Context) (proto.Hello, error) {
	hello, err := w.Agent.Hello(ctx)
	if err == nil && hello.Error == nil {
		w.once.Do(func() {
			w.app.attest(w.target, w.before, hello, func(seen witness.Seen) (proto.AuditHead, error) {
				ctx, cancel := context.WithTimeout(ctx, attestTime)
				defer cancel()
				return witness.Follow(ctx, seen, hello, func(ctx context.Context, after int64) ([]json.RawMessage, error) {
					var answer proto.AuditLines
					err := w.Agent.Call(ctx, proto.OpAuditSince, proto.AuditSinceArgs{After: after}, &answer, nil)
					return answer.Lines, err
				})
			})
		})
	}
	return hello, err
}

// Call is the agent's. Once an answer is there, so is the greeting.
func (w *witnessed) Call(ctx context.Context, op proto.Op, args, result any, on func(proto.Event)) error {
	err := w.Agent.Call(ctx, op, args, result, on)
	if err == nil {
		w.once.Do(func() {
			if hello, err := w.Agent.Hello(ctx); err == nil {
				w.app.attest(w.target, w.before, hello, nil)
			}
		})
	}
	return err
}

// Via says which way the host was reached, where the connection knows it.
func (w *witnessed) Via() string {
	if over, ok := w.Agent.(interface{ Via() string }); ok {
		return over.Via()
	}
	return ""
}

// attest holds a greeting against what is remembered of a host, and remembers what was proved. follow asks the host for
// the lines in between; nil asks nothing.
func (a *app) attest(target fleet.Target, before recalled, hello proto.Hello, follow func(witness.Seen) (proto.AuditHead, error)) {
	memory := a.memory()
	switch {
	case before.err != nil:
		a.unwitnessed(target, a.damaged(target, before.err))
		return
	case !before.known && hello.Audit == nil:
		return // an agent that does not tell, and none that ever did
	case !before.known:
		a.remember(memory, target, hello, *hello.Audit)
		return
	}
	longer, problem := witness.Compare(before.seen, hello)
	if longer && follow != nil {
		head, err := follow(before.seen)
		if !errors.As(err, &problem) && err != nil {
			a.unwitnessed(target, &exit.Error{Message: exit.From(err).Message})
			return
		}
		if err == nil {
			a.remember(memory, target, hello, head)
		}
	}
	if problem != nil {
		if a.audits.set(target, problem); a.audits.quiet {
			return
		}
		a.emit(event.Event{
			Kind: event.Warning, Environment: target.Environment, Host: target.Host, Text: notTheAudit + problem.Why,
			Next: a.sameHosts("rpctl doctor --env " + target.Environment),
		})
	}
}

// attestTime bounds the questions for the lines of an audit.
const attestTime = 30 * time.Second

// notTheAudit begins what is told of such a host.
const notTheAudit = "THE AUDIT OF THIS HOST IS NOT THE ONE THAT WAS SEEN BEFORE: "

func (a *app) remember(memory witness.Memory, target fleet.Target, hello proto.Hello, head proto.AuditHead) {
	err := memory.Remember(witness.Seen{
		Environment: target.Environment, Host: target.Host, Name: hello.Host, ReceiptKey: hello.ReceiptKey, Audit: head, Time: a.Now().UTC(),
	})
	if err != nil {
		a.unwitnessed(target, a.damaged(target, err))
	}
}

// damaged is what is wrong with the memory of a host, with the command that mends it: where the file is at fault, the
// one that writes it again.
func (a *app) damaged(target fleet.Target, err error) error {
	if guard := local.Guard(a.memory().Folder); guard != nil {
		return guard
	}
	return &exit.Error{Code: exit.LocalFailed, Err: err, Message: safe(err.Error()), Next: acceptAudit(target.Environment)}
}

// acceptAudit is the command that takes the audits of an environment as they are.
func acceptAudit(environment string) string {
	return "rpctl history --accept-audit --env " + environment
}

// unwitnessed says that the audit could not be held against what was seen before.
func (a *app) unwitnessed(target fleet.Target, err error) {
	failure := exit.From(err)
	a.emit(event.Event{
		Kind: event.Warning, Environment: target.Environment, Host: target.Host, Next: a.sameHosts(failure.Next),
		Text: "cannot hold the host's audit against what was seen before: " + failure.Message,
	})
}

// intact refuses a host whose audit is not the one that was seen before.
func (a *app) intact(target fleet.Target) error {
	problem := a.audits.of(target)
	if problem == nil {
		return nil
	}
	return &exit.Error{
		Code: exit.Refused, Host: target.Host, Message: "the audit is not the one that was seen before: " + problem.Why + "; nothing was changed",
		Next: "rpctl doctor --env " + target.Environment,
	}
}

// auditCheck is doctor's: the audit is the one that was seen before.
func (a *app) auditCheck(target fleet.Target, hello proto.Hello) proto.Check {
	const name = "audit seen before"
	if problem := a.audits.of(target); problem != nil {
		return proto.Check{Name: name, Detail: proto.HostText(problem.Why + ": read it before the fix, which takes it as it is now"),
			Fix: acceptAudit(target.Environment)}
	}
	seen, known, err := a.memory().Recall(target.Environment, target.Host)
	switch {
	case err != nil:
		return check(name, "", a.damaged(target, err))
	case hello.Audit == nil:
		return proto.Check{Name: name, OK: true, Skipped: true, Detail: "this rp-agent does not tell where its audit ends"}
	case !known:
		return proto.Check{Name: name, OK: true, Skipped: true, Detail: "nothing is remembered on this machine: there is no home"}
	}
	return proto.Check{Name: name, OK: true, Detail: proto.HostText(fmt.Sprintf("%d entries, which continue what was seen before", seen.Audit.Length))}
}

// acceptAudits takes the audits of hosts as they are now for what was seen, and says what was remembered.
func (a *app) acceptAudits(ctx context.Context, all []fleet.Target) error {
	memory := a.memory()
	dial := a.dialer()
	results := fleet.Each(ctx, fleet.DefaultLimit, all, func(ctx context.Context, target fleet.Target) (proto.Hello, error) {
		agent, err := dial(ctx, target)
		if err != nil {
			return proto.Hello{}, err
		}
		defer func() { _ = agent.Close() }() // the greeting is all that is wanted
		return agent.Hello(ctx)
	}, nil)
	for _, r := range results {
		if r.Err != nil {
			a.hostWarning(r.Target, r.Err)
			continue
		}
		if r.Value.Audit == nil {
			return &exit.Error{Code: exit.NoAgent, Host: r.Target.Host, Message: "this rp-agent does not tell where its audit ends", Next: "rpctl agent upgrade --env " + r.Target.Environment}
		}
		before := "nothing was remembered"
		if seen, known, err := memory.Recall(r.Target.Environment, r.Target.Host); err == nil && known {
			before = fmt.Sprintf("remembered were %d entries, the last %.12s", seen.Audit.Length, seen.Audit.Head)
		}
		err := memory.Accept(witness.Seen{Environment: r.Target.Environment, Host: r.Target.Host, Name: r.Value.Host,
			ReceiptKey: r.Value.ReceiptKey, Audit: *r.Value.Audit, Time: a.Now().UTC()})
		if err != nil {
			next := "ls -ld " + exit.Word(memory.Folder)
			if guard := local.Guard(memory.Folder); guard != nil {
				next = exit.From(guard).Next
			}
			return &exit.Error{Code: exit.LocalFailed, Err: err, Message: "cannot remember the audit: " + safe(err.Error()), Next: next}
		}
		a.emit(event.Event{Kind: event.Warning, Environment: r.Target.Environment, Host: r.Target.Host,
			Text: fmt.Sprintf("the audit is taken as it is now: %d entries, the last %.12s; %s", r.Value.Audit.Length, r.Value.Audit.Head, before)})
	}
	return unasked(ctx, results)
}
