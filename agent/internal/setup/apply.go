package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/re-connect/rpctl/systemd"
)

// lockPath keeps two setups apart. /run is root's, so the lock is too.
const lockPath = "/run/rp-agent-setup.lock"

// undoTime bounds the way back, which has several commands; it is walked even when ctx has ended.
const undoTime = 5 * time.Minute

// Apply makes the changes. When it fails, the files that were replaced are put back
// and the error says so: the version that was there goes on working.
func (p *Plan) Apply(ctx context.Context) error {
	if len(p.actions) == 0 {
		return nil
	}
	lock := flock.New(p.host.path(lockPath))
	switch held, err := lock.TryLock(); {
	case err != nil:
		return hostError("cannot "+p.verb, err)
	case !held:
		return hostError("cannot "+p.verb, errors.New("another setup is at work on this host"))
	}
	defer func() { _ = lock.Unlock() }()
	// Folders that are made on the way are for everyone to enter: the agent reads its own units.
	defer syscall.Umask(syscall.Umask(0o022))
	defer p.clean()
	if err := p.stage(ctx); err != nil {
		return hostError(fmt.Sprintf("cannot %s (nothing was changed)", p.verb), err)
	}
	for i, a := range p.actions {
		err := ctx.Err()
		if err == nil {
			err = a.do(ctx)
		}
		if err != nil {
			err = fmt.Errorf("%s %s: %w", a.Action, a.Target, err)
			return hostError("cannot "+p.verb, errors.Join(err, p.undo(ctx, p.actions[:i+1])))
		}
	}
	return nil
}

// stage does all that can fail for want of space or rights while nothing has changed yet.
func (p *Plan) stage(ctx context.Context) error {
	for _, a := range p.actions {
		if err := ctx.Err(); err != nil {
			return err
		}
		if a.stage == nil {
			continue
		}
		if err := a.stage(); err != nil {
			return fmt.Errorf("%s %s: %w", a.Action, a.Target, err)
		}
	}
	return nil
}

func (p *Plan) clean() {
	for _, a := range p.actions {
		if a.clean != nil {
			a.clean()
		}
	}
}

// undo takes the changes back, newest first, and tells systemd. What it returns is a
// sentence for the error: that it worked, or what could not be put back.
func (p *Plan) undo(ctx context.Context, done []action) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	var failed []error
	units := false
	for _, a := range slices.Backward(done) {
		if a.undo == nil {
			continue
		}
		units = units || a.unit
		if err := a.undo(); err != nil {
			failed = append(failed, fmt.Errorf("could not put back %s: %w", a.Target, err))
		}
	}
	if units {
		failed = append(failed, p.resettle(ctx))
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	return errors.New("what was replaced was put back: the version that was there goes on working")
}

// resettle makes systemd listen as the files that were put back say; without an old socket, nothing listens.
func (p *Plan) resettle(ctx context.Context) error {
	_, reloaded := p.host.Commands.Run(ctx, "systemctl", "daemon-reload")
	verb := "restart"
	if exists, err := p.host.exists(socketFile); err != nil || !exists {
		verb = "stop"
	}
	_, err := p.host.Commands.Run(ctx, "systemctl", verb, systemd.Socket)
	return errors.Join(reloaded, err)
}
