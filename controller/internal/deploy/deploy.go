// Package deploy is the order of things: the steps of a deploy, a rollback and
// a restart, what stops them, and what is told at the end. Each step has a file.
//
// It follows the runbook "RP - Déploiement en pré-production" (checks, local
// update, message, deploy, workers, closing message) and adds what the runbook leaves to memory.
package deploy

import (
	"context"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/proto"
)

// Sink shows or writes events. Emit is called by several goroutines, and must
// neutralise what a host says before a terminal sees it; the text of Output is the
// developer's own command and passes as it is.
type Sink interface {
	Emit(event.Event)
}

// Tree is the developer's work tree.
type Tree interface {
	// Check changes nothing: it refuses a tree that branch cannot be deployed from.
	Check(ctx context.Context, branch string) error
	// Standing is Check, and refuses what Update would refuse; it changes nothing. The notes say
	// what Update would bring.
	Standing(ctx context.Context, branch string) (notes []string, err error)
	// Update puts the tree on branch and brings it up to date with its remote, by fast-forward only.
	Update(ctx context.Context, branch string) error
	// Revision is the commit that is checked out.
	Revision(ctx context.Context) (string, error)
}

// World is what the steps work with; tests put fakes here.
type World struct {
	Fleet *fleet.Fleet
	Tree  Tree
	// Run runs a local command until it ends; output gets what it prints, as it comes.
	// When ctx ends the command is asked to stop, and Run returns when it has.
	Run func(ctx context.Context, argv []string, output func(stream string, chunk []byte)) error
	// Settled is called before the first local command, when the work tree is as it will be deployed; its error
	// ends the operation. Nil asks nothing.
	Settled func(ctx context.Context) error
	// Look says whether a local command is there to be run at all.
	Look func(argv []string) error
	// Healthy asks the application's health URL until it answers as it should; revision,
	// where it is known, is the one that should be served. It returns what was seen.
	Healthy func(ctx context.Context, health inventory.Health, revision string) (string, error)
	// Confirmed is the command that was typed, with the flag that goes for the answer.
	Confirmed string
	// Confirm asks the operator to type something; nil where there is no terminal.
	Confirm func(ctx context.Context, question string) (string, error)
	Sink    Sink
	Now     func() time.Time
}

// Options are what the operator asked for.
type Options struct {
	Environment inventory.Environment
	Operator    string // user@machine, as told to the host
	DryRun      bool   // change nothing, take no lease, show what would happen
	Yes         bool   // confirmed on the command line
	Skip        []string
	Batch       int                 // units of one host at the same time; 0 means all
	Wave        int                 // hosts that restart at the same time, after the first; 0 means a tenth of them
	MaxFail     int                 // the roll stops when so many hosts have failed; 0 means 1
	Only        []proto.UnitPattern // restart: these patterns only
}

// The operations, as the audit and JSON call them.
const (
	opDeploy   = "deploy"
	opRollback = "rollback"
	opRestart  = "restart"
)

// Deploy deploys an environment. The error is an *exit.Error.
func Deploy(ctx context.Context, world World, options Options) error {
	r := newRun(opDeploy, world, options)
	r.argv = options.Environment.Deploy
	return r.all(ctx, []step{
		{name: stepPreflight, do: r.preflight},
		{name: stepLocal, do: r.local},
		{name: stepPrepare, do: r.prepare, skippable: true},
		{name: stepAnnounce, do: r.announce, skippable: true},
		{name: stepDeploy, do: r.command},
		{name: stepRestart, do: r.restart, rolls: true},
		{name: stepVerify, do: r.verify, rolls: true},
		{name: stepHealth, do: r.health, skippable: true},
	})
}

// Rollback runs the configured rollback command and brings the workers to the release that
// it leaves. The work tree is left alone: in an emergency nobody waits for a pull.
func Rollback(ctx context.Context, world World, options Options) error {
	r := newRun(opRollback, world, options)
	r.argv = options.Environment.Rollback
	return r.all(ctx, []step{
		{name: stepPreflight, do: r.preflight},
		{name: stepAnnounce, do: r.announce, skippable: true},
		{name: stepRollback, do: r.command},
		{name: stepRestart, do: r.restart, rolls: true},
		{name: stepVerify, do: r.verify, rolls: true},
		{name: stepHealth, do: r.health, skippable: true},
	})
}

// Restart restarts the workers on the release that is current now.
func Restart(ctx context.Context, world World, options Options) error {
	r := newRun(opRestart, world, options)
	return r.all(ctx, []step{
		{name: stepPreflight, do: r.preflight},
		{name: stepRestart, do: r.restart, rolls: true},
		{name: stepVerify, do: r.verify, rolls: true},
	})
}
