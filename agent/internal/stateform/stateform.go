// Package stateform gives the form of the agent's state folder a number. A folder of an older agent is
// brought to this agent's form step by step; one of a newer agent is refused, because what
// is not known there may be what keeps a step from being run twice.
//
// The number stands in form.json, and changes after each step: an agent that was cut off in a step does it
// again, so each step must bear that. A runner of the older agent may still be at work, its binary replaced
// below it: a step must leave what that one reads, or wait until no job runs.
package stateform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/re-connect/rpctl/agent/internal/statefile"
	"github.com/re-connect/rpctl/internal/version"
	"github.com/re-connect/rpctl/proto"
)

const (
	fileName = "form.json"
	lockName = "form.lock"
	// fileVersion is of form.json itself.
	fileVersion = 1

	// lockWait bounds the wait for another process that takes the same steps.
	lockWait  = 20 * time.Second
	lockRetry = 5 * time.Millisecond
)

// form is what form.json says.
type form struct {
	Number int    `json:"number"`
	Agent  string `json:"agent"` // version of the rp-agent that brought the folder there
}

// step brings a folder of the number before its own to its own.
type step struct {
	what string
	// do is done again where it was cut off.
	do func(folder string) error
	// light says that this agent works with the older form as well: where the disk refuses, it goes on,
	// and the next one tries again.
	light bool
}

// steps lead from form 0, of agents that wrote no number, to form len(steps).
var steps = []step{
	{what: "remove what killed writers left in every folder", do: sweep, light: true},
}

// Latest is the form that this agent writes.
func Latest() int { return len(steps) }

// Bring brings the folder to this agent's form. Where it has that, this is one look at one file. Errors
// are *proto.Error of CodeStorage.
func Bring(ctx context.Context, folder string) error { return bring(ctx, folder, steps) }

// Look is the number of the folder's form; 0 for one that has none. A form of a newer agent is an error as of Bring.
func Look(folder string) (int, error) {
	is, err := look(folder, len(steps))
	return is.Number, err
}

func look(folder string, latest int) (form, error) {
	var is form
	var refused *proto.Error
	err := statefile.Read(filepath.Join(folder, fileName), fileVersion, &is)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return form{}, nil
	case errors.As(err, &refused) && refused.Advice == statefile.Upgrade:
		return form{}, refuse(folder, err, statefile.Upgrade)
	case err != nil:
		return form{}, refuse(folder, err, space(folder))
	case is.Number > latest:
		return is, refuse(folder, fmt.Errorf("a newer rp-agent (%.40q) wrote it: it has form %d, and this rp-agent (%.40q) knows forms up to %d: upgrade it with `rpctl agent upgrade` of the newer rpctl",
			is.Agent, is.Number, version.String(), latest), statefile.Upgrade)
	case is.Number < 0:
		return is, refuse(folder, fmt.Errorf("its %s is damaged: form %d", fileName, is.Number), space(folder))
	}
	return is, nil
}

// space looks at the disk, which `rp-agent doctor` cannot be asked to: the greeting before it ends with this refusal.
func space(folder string) proto.Advice { return proto.Advice{Code: proto.AdviceDisk, Path: folder} }

func bring(ctx context.Context, folder string, steps []step) error {
	is, err := look(folder, len(steps))
	if err != nil || is.Number == len(steps) {
		return err
	}
	at := is.Number
	unlock, err := lock(ctx, folder)
	if err == nil {
		defer unlock()
		if is, err = look(folder, len(steps)); err != nil { // another process may have been here
			return err
		}
		at, err = walk(folder, steps, is.Number)
	}
	if err == nil || light(steps[at:]) {
		return nil
	}
	return refuse(folder, err, space(folder))
}

// walk takes the steps that are left, and says how far it came.
func walk(folder string, steps []step, at int) (int, error) {
	for ; at < len(steps); at++ {
		if err := steps[at].do(folder); err != nil {
			return at, fmt.Errorf("form %d (%s): %w", at+1, steps[at].what, err)
		}
		next := form{Number: at + 1, Agent: version.String()}
		if err := statefile.Write(filepath.Join(folder, fileName), fileVersion, next, 0o600); err != nil {
			return at, err
		}
	}
	return at, nil
}

func light(steps []step) bool {
	for _, s := range steps {
		if !s.light {
			return false
		}
	}
	return true
}

func lock(ctx context.Context, folder string) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	lock := flock.New(filepath.Join(folder, lockName))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return nil, err
	}
	return func() { _ = lock.Unlock() }, nil
}

func refuse(folder string, why error, next proto.Advice) error {
	return &proto.Error{Code: proto.CodeStorage, Message: proto.Textf("cannot use the state folder %s: %v", folder, why), Advice: next}
}

// sweep is form 1: writers leave nothing behind. Agents before it left temporary files beside receipts.
func sweep(folder string) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a job was pruned meanwhile
		}
		if err == nil && entry.IsDir() {
			statefile.Sweep(path)
		}
		return err
	})
}
