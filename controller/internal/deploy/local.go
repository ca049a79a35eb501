package deploy

import (
	"context"
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
)

// local brings the work tree to what will be deployed: clean, on the branch, up to date.
func (r *run) local(ctx context.Context) error {
	r.busy("looking at the work tree")
	if err := r.Tree.Check(ctx, r.Environment.Branch); err != nil {
		return err
	}
	r.busy("git, bringing " + r.Environment.Branch + " up to date")
	if err := r.Tree.Update(ctx, r.Environment.Branch); err != nil {
		return err
	}
	revision, err := r.Tree.Revision(ctx)
	if r.revision = revision; err != nil {
		return err
	}
	return r.settled(ctx)
}

func (r *run) settled(ctx context.Context) error {
	if r.Settled == nil {
		return nil
	}
	r.busy("reading hosts.toml again")
	return r.Settled(ctx)
}

// prepare runs the commands that make the work tree ready (runbook, step 3).
func (r *run) prepare(ctx context.Context) error {
	for _, argv := range r.Environment.Prepare {
		if err := r.locally(ctx, argv); err != nil {
			return &exit.Error{
				Code:    exit.LocalFailed,
				Message: fmt.Sprintf("cannot prepare: %v; nothing was deployed; --skip prepare leaves it out", err),
				Next:    r.again(),
				Err:     err,
			}
		}
	}
	return nil
}

// announce has the message for #équipe_technico_santé ready to copy (runbook, step 2).
func (r *run) announce(context.Context) error {
	r.emit(event.Event{Kind: event.Message, Text: opening(r.operation, r.Environment.Name)})
	return nil
}

// locally runs one command of the developer's machine and passes on what it prints.
func (r *run) locally(ctx context.Context, argv []string) error {
	r.busy("`" + strings.Join(argv, " ") + "` on this machine")
	r.emit(event.Event{Kind: event.Command, Argv: argv})
	err := r.Run(ctx, argv, func(stream string, chunk []byte) {
		r.emit(event.Event{Kind: event.Output, Stream: stream, Text: string(chunk)})
	})
	if err != nil && exit.From(err).Code == exit.Interrupted {
		r.ctrlC = true
	}
	return err
}

// opening and closing are the runbook's messages. They go to a French-speaking channel.
func opening(operation, environment string) string {
	return "🚀 :fusée: " + subject(operation) + place(environment) + " en cours ..."
}

func closing(operation, environment string) string {
	return subject(operation) + place(environment) + " :fusée:"
}

func subject(operation string) string {
	if operation == opRollback {
		return "Retour arrière de RP en "
	}
	return "Déploiement de RP en "
}

// place is an environment as the team calls it.
func place(environment string) string {
	if environment == "preprod" {
		return "PP"
	}
	return environment
}
