package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// A bus or a disk that hangs is an answer too, one that is slow on a busy host is not. The bounds together
// are less than who asks will wait for all probes (rpctl: 30 s).
const (
	// probeTime bounds one probe, allTime the first ones in all; what comes after a probe that hung
	// has leastTime each.
	probeTime = 12 * time.Second
	allTime   = 16 * time.Second
	leastTime = 500 * time.Millisecond
	// secondLook is when what failed is probed again.
	secondLook = time.Second
)

// examination is one run.
type examination struct {
	Host
	cfg    proto.HostConfig
	cfgErr error
	report proto.DoctorReport
	until  time.Time // the end of allTime, by the monotonic clock

	manager    Manager
	managerErr error
	hangUp     func() error
}

// look is what a probe finds. A panic is a finding: one bad probe hides no other.
func (e *examination) look(ctx context.Context, p probe) proto.Check {
	within := max(leastTime, min(probeTime, time.Until(e.until)))
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	check := proto.Check{Name: proto.HostText(p.name), OK: true}
	detail, err := guarded(e, ctx, p)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("no answer within %s: %v", within.Round(leastTime), err) // whatever the probe takes its error for
	}
	var f *fault
	var s *skip
	switch {
	case errors.As(err, &s):
		check.Skipped, detail = true, s.why
	case errors.As(err, &f):
		check.OK, detail, check.Advice = false, f.what, f.fix
	case err != nil:
		check.OK, detail, check.Advice = false, err.Error(), proto.Advice{Code: proto.AdviceRootLog}
	}
	check.Detail, check.Fix = proto.HostText(printable.Excerpt(detail, 1000)), e.here(check.Advice)
	return check
}

func guarded(e *examination, ctx context.Context, p probe) (detail string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the probe itself failed: %v", r)
		}
	}()
	return p.run(e, ctx)
}

// lookAgain probes what failed a second time: a finding is what stands, and not a service that was just
// being restarted, or a file that was just being replaced.
func (e *examination) lookAgain(ctx context.Context) {
	if !slices.ContainsFunc(e.report.Checks, func(c proto.Check) bool { return !c.OK }) {
		return
	}
	select {
	case <-time.After(secondLook):
	case <-ctx.Done():
		return
	}
	e.close() // the line to systemd may be what has failed
	for i, first := range e.report.Checks {
		if first.OK {
			continue
		}
		if second := e.look(ctx, probes[i]); second.OK {
			second.Detail = proto.HostText(printable.Excerpt(string(second.Detail+" (at a second look; at the first one: "+first.Detail+")"), 1000))
			e.report.Checks[i] = second
		}
	}
}

// here is a fix as a command, with this host's environment where that is known.
func (e *examination) here(fix proto.Advice) string {
	if e.cfgErr != nil {
		return fix.Text()
	}
	return fix.In(e.cfg.Environment)
}

// fault is what is wrong and what to type: a command of this host's, or one of rpctl's or git's, which
// are the operator's own; nothing where no command mends it.
type fault struct {
	what string
	fix  proto.Advice
}

func (f *fault) Error() string { return f.what }

func wrong(fix proto.Advice, format string, args ...any) error {
	return &fault{fmt.Sprintf(format, args...), fix}
}

// skip says why nothing was proved.
type skip struct{ why string }

func (s *skip) Error() string { return s.why }

var reinstall = proto.Advice{Code: proto.AdviceInstall}

const (
	embedded = "does not apply: this host is embedded, nothing was installed on it"
)

// installed is the host's installed parts, or the reason to skip.
func (e *examination) installed() (*Installed, error) {
	if e.Installed == nil {
		return nil, &skip{embedded}
	}
	return e.Installed, nil
}

// connected is systemd, reached once for all probes of a look.
func (e *examination) connected(ctx context.Context) (Manager, error) {
	installed, err := e.installed()
	if err != nil {
		return nil, err
	}
	if e.manager == nil && e.managerErr == nil {
		e.manager, e.hangUp, e.managerErr = installed.Connect(ctx)
	}
	if e.managerErr != nil {
		return nil, wrong(proto.Advice{Code: proto.AdviceDBus}, "cannot reach systemd: %v", e.managerErr)
	}
	return e.manager, nil
}

func (e *examination) close() {
	if e.hangUp != nil {
		_ = e.hangUp()
	}
	e.manager, e.managerErr, e.hangUp = nil, nil, nil
}

// configured is the host's configuration, or the reason to skip.
func (e *examination) configured() (proto.HostConfig, error) {
	if e.cfgErr != nil {
		return proto.HostConfig{}, &skip{"cannot be seen before the configuration is good"}
	}
	return e.cfg, nil
}
