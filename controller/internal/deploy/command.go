package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// command runs the deploy or rollback command, and has every host confirm that current has moved.
func (r *run) command(ctx context.Context) error {
	if err := r.stillThere(ctx); err != nil {
		return err
	}
	if r.operation == opRollback {
		if err := r.settled(ctx); err != nil {
			return err
		}
	}
	r.commanded = true
	if err := r.locally(ctx, r.argv); err != nil {
		left, next := r.afterFailedCommand(ctx)
		return &exit.Error{
			Code:    exit.LocalFailed,
			Message: fmt.Sprintf("the %s command failed: %v; no worker was restarted; %s", r.operation, err, left),
			Next:    next,
			Err:     err,
		}
	}
	if ctx.Err() != nil {
		return ctx.Err() // it ended well in spite of Ctrl-C, but nobody is asked any more
	}
	return r.moved(ctx)
}

// stillThere finds out that a host was lost while the work tree was made ready. Its lease is gone
// with it, somebody else may hold it by now: nothing was changed yet, so nothing is.
func (r *run) stillThere(ctx context.Context) error {
	r.askCurrent(ctx, func(h *host, release *proto.Release, err error) error {
		if err != nil {
			return ignoreUnreadable(h.before, err)
		}
		h.before = release // with the lease held, nobody else's deploy can move it from here on
		return nil
	})
	return r.notReady("nothing was deployed")
}

// askCurrent asks the hosts that still take part which release is current; one for which heard fails is out.
func (r *run) askCurrent(ctx context.Context, heard func(h *host, release *proto.Release, err error) error) {
	r.busy("asking the hosts which release is current")
	r.each(ctx, func(ctx context.Context, h *host) error {
		var release proto.Release
		err := h.call(ctx, proto.OpRelease, nil, &release)
		return heard(h, &release, err)
	})
}

// moved compares current with what it was. The runbook's deploy reports success even where it switched nothing.
func (r *run) moved(ctx context.Context) error {
	r.askCurrent(ctx, func(h *host, release *proto.Release, err error) error {
		if err != nil {
			return err
		}
		h.after = release
		r.emit(event.Event{Kind: event.Host, Host: h.name(), State: event.Busy, Release: release, Text: "current is " + release.Name})
		return nil
	})
	var stuck []string
	for _, h := range r.remaining() {
		if h.before != nil && !h.moved() {
			stuck = append(stuck, fmt.Sprintf("%s (still %s)", h.name(), printable.Line(h.after.Name)))
		}
	}
	if len(stuck) > 0 {
		return &exit.Error{
			Code: exit.Failed,
			Message: fmt.Sprintf("the %s command succeeded, but `current` did not move on %s; no worker was restarted; what the command did stands above",
				r.operation, strings.Join(stuck, ", ")),
			Next: r.again(),
		}
	}
	r.switched = true
	if len(r.remaining()) == 0 {
		return r.notReady("no worker was restarted")
	}
	if err := r.notReady("the other hosts go on"); err != nil {
		return goOn{err}
	}
	return nil
}

// afterFailedCommand asks the hosts what the failed command did to current, and says that and what to type
// next. Going back is named only where every host moved: where current stands, a rollback would go one too far.
func (r *run) afterFailedCommand(ctx context.Context) (left, next string) {
	status := "rpctl status --env " + r.Environment.Name // which release is current
	moved, stood := r.movedAnyway(ctx)
	switch {
	case moved+stood < len(r.hosts):
		return "whether `current` moved is not known", status
	case moved == 0:
		return "`current` did not move", r.again()
	case stood > 0:
		return fmt.Sprintf("`current` moved on %d of %d hosts", moved, len(r.hosts)), status
	case r.operation == opDeploy && len(r.Environment.Rollback) > 0:
		return "`current` has moved", "rpctl rollback --env " + r.Environment.Name
	}
	return "`current` has moved", status
}

// movedAnyway counts the hosts whose current moved, and those where it stands as it was. A host that does not
// tell is neither, and not out: the command's own failure is what counts.
func (r *run) movedAnyway(ctx context.Context) (moved, stood int) {
	if r.stopped(ctx) {
		return 0, 0
	}
	r.askCurrent(ctx, func(h *host, release *proto.Release, err error) error {
		if err == nil {
			h.after = release
		}
		return nil
	})
	for _, h := range r.hosts {
		switch {
		case h.before == nil || h.after == nil:
		case h.moved():
			moved++
		default:
			stood++
		}
	}
	return moved, stood
}

// again is the same operation once more.
func (r *run) again() string {
	command := "rpctl " + r.operation + " --env " + r.Environment.Name
	for _, pattern := range r.Only {
		command += " --only '" + string(pattern) + "'"
	}
	return command
}

// ignoreUnreadable lets a host without a readable current through: before its first deploy it has none.
func ignoreUnreadable(before *proto.Release, err error) error {
	var refusal *proto.Error
	if before == nil && errors.As(err, &refusal) && refusal.Code == proto.CodeRelease {
		return nil
	}
	return err
}
