package setup

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// Plan is what is not as it shall be. It was true when it was made.
type Plan struct {
	host    *Host
	verb    string // for messages: "set up rp-agent"
	actions []action
	notes   []string
	// ruled says that the host has an agent.toml, which can be loosened; classified that differences have their effects.
	ruled, classified bool
}

// action is one change. stage prepares it without a visible effect, do makes it, undo
// takes it back, clean removes what stage left. All but do may be nil; an action
// without undo is harmless to leave (a user, a folder, a key).
type action struct {
	proto.SetupChange
	stage func() error
	do    func(context.Context) error
	undo  func() error
	clean func()
	// unit says that the service manager must be told.
	unit bool
}

// New compares the host with the spec. It changes nothing.
func New(ctx context.Context, host *Host, spec proto.SetupSpec) (*Plan, error) {
	p := &Plan{host: host, verb: "set up rp-agent", classified: true}
	if err := host.requireRoot(p.verb); err != nil {
		return nil, err
	}
	if err := checkSpec(spec); err != nil {
		return nil, badSpec(err)
	}
	var err error
	if p.ruled, err = host.exists(proto.ConfigPath); err == nil {
		err = p.compare(ctx, spec)
	}
	if err != nil {
		return nil, hostError("cannot see what has to be done on this host", err)
	}
	return p, nil
}

// compare is the order of an install: what others need first, the binary last, then what starts it.
func (p *Plan) compare(ctx context.Context, spec proto.SetupSpec) error {
	templates := p.installedTemplates(spec.Config.Workers)
	files, err := systemd.Files(spec.Config, templates)
	if err != nil {
		return err
	}
	if err := p.requireUser(ctx, spec.Config.Application.User); err != nil {
		return err
	}
	if err := p.requireWorkers(ctx, spec.Config, templates); err != nil {
		return err
	}
	p.doubts(spec.Config)
	for _, step := range []func() error{
		func() error { return p.accounts(ctx, files) },
		func() error { return p.folders(ctx, files) },
		func() error { return p.operators(ctx, spec) },
		func() error { return p.receiptKey(ctx) },
		func() error { return p.files(ctx, files) },
		func() error { return p.forcedKey(ctx, spec.ForcedKey) },
		func() error { return p.signers(ctx, spec.Signers) },
		func() error { return p.config(ctx, spec.Config) },
		func() error { return p.binary(ctx) },
		func() error { return p.services(ctx) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// doubts notes what is allowed, and seldom what is meant.
func (p *Plan) doubts(config proto.HostConfig) {
	written := config.Application.Path
	if real, err := filepath.EvalSymlinks(p.host.path(written)); err == nil && real != filepath.Clean(p.host.path(written)) {
		p.note("%s goes through a link, to %s: units that name the other path are not known to run the new code; write the path that they have", written, real)
	}
	for _, group := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(config.Look, config.Act)))) {
		if group != systemd.Group {
			p.note("access: who is in %s must be in %s, too: the agent's socket is open to that group alone", group, systemd.Group)
		}
	}
}

func (p *Plan) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// access is the difference of somebody who may use the agent from then on.
func (p *Plan) access(name, who string) []proto.SetupDifference {
	difference := proto.SetupDifference{Name: name, New: who}
	if p.ruled {
		difference.Effect = proto.EffectLoosens
	}
	return []proto.SetupDifference{difference}
}

// command plans to run one of the host's tools.
func (p *Plan) command(change proto.SetupChange, name string, args ...string) {
	p.actions = append(p.actions, action{SetupChange: change, do: func(ctx context.Context) error {
		_, err := p.host.Commands.Run(ctx, name, args...)
		return err
	}})
}

// Report is the plan as it is shown and sent.
func (p *Plan) Report() proto.SetupReport {
	report := proto.SetupReport{Changes: []proto.SetupChange{}, Notes: p.notes, Classified: p.classified}
	for _, a := range p.actions {
		report.Changes = append(report.Changes, a.SetupChange)
	}
	return report
}

func hostError(what string, err error) error {
	return &proto.Error{
		Code:    proto.CodeHost,
		Message: proto.HostText(what + ": " + oneLine(err) + "; once that is mended, the same command goes on from where the host is"),
		Advice:  proto.Advice{Code: proto.AdviceInstall},
	}
}

// oneLine is an error of several parts as one sentence: messages are shown on a line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
