package migrate

import (
	"errors"
	"fmt"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/hosttext"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// What the files of a plan's receipts are called after their environment.
const (
	simulationFile = "-simulation.json"
	appliedFile    = "-applied.json"
	approvalFile   = "-approval.json"
	startFile      = "-start.json" // what the operator signed under the last start that ended while rpctl followed it
)

// keepSimulation checks the receipt of a simulation that came from its host, and stores it.
func (r *run) keepSimulation(to fleet.Target, signed *proto.Signed) (proto.Simulation, error) {
	var simulation proto.Simulation
	err := r.keep(to, simulationFile, proto.NamespaceSimulation, signed, &simulation, func() (string, error) {
		return simulation.Host, r.fitsSimulation(to.Environment, simulation)
	})
	return simulation, err
}

// keepApplied does the same for the receipt of a plan that was applied.
func (r *run) keepApplied(to fleet.Target, signed *proto.Signed) (proto.Applied, error) {
	var applied proto.Applied
	err := r.keep(to, appliedFile, proto.NamespaceApplied, signed, &applied, func() (string, error) {
		return applied.Host, r.fits(to.Environment, applied.Kind, "applied", applied.Environment, applied.Plan, len(applied.Steps))
	})
	return applied, err
}

func (r *run) fitsSimulation(environment string, s proto.Simulation) error {
	return r.fits(environment, s.Kind, "simulation", s.Environment, s.Plan, len(s.Steps))
}

// fits says whether a receipt is of this very plan in the environment.
func (r *run) fits(environment, kind, wantKind, inEnvironment, digest string, steps int) error {
	switch {
	case kind != wantKind || inEnvironment != environment:
		return fmt.Errorf("it is a receipt of kind %q for %q", kind, inEnvironment)
	case digest != r.Plan.Digest():
		return fmt.Errorf("it is of another plan, or the plan was changed since")
	case steps != len(r.Plan.Steps()):
		return fmt.Errorf("it is of %d steps, and the plan has %d", steps, len(r.Plan.Steps()))
	}
	return nil
}

// keep reads a receipt into content, checks it, verifies who signed it, and writes it beside the plan.
func (r *run) keep(to fleet.Target, file, namespace string, signed *proto.Signed, content any, check func() (host string, err error)) error {
	if signed == nil {
		return &exit.Error{Code: exit.HostFailed, Host: to.Host, Message: "sent no receipt", Next: "rpctl doctor --env " + to.Environment}
	}
	if err := proto.DecodeStrict([]byte(signed.Body), content); err != nil {
		return r.badReceipt(to, fmt.Errorf("it cannot be read: %w", err))
	}
	hosttext.Clean(content)
	host, err := check()
	if err != nil {
		return r.badReceipt(to, err)
	}
	err = r.verify(to.Environment, host, namespace, *signed)
	if local := (*exit.Error)(nil); errors.As(err, &local) { // of a file on this machine: the host is not to blame
		return local
	}
	if err != nil {
		return r.badReceipt(to, err)
	}
	path, err := r.store.write(to.Environment+file, *signed)
	if err != nil {
		return err
	}
	r.emit(to, event.Event{Kind: event.Stored, Path: path, Digest: r.Plan.Digest()})
	return nil
}

// verify checks a receipt of an environment against the pinned key of its console host. Nothing that lies beside the
// receipt, and nothing that the host says of itself, has a part in it.
func (r *run) verify(environment, host, namespace string, signed proto.Signed) error {
	key, err := r.pinned(environment)
	if err != nil {
		return err
	}
	if host != key.Host {
		return fmt.Errorf("it speaks of host %s, and the pinned key of %s is of host %s", printable.Excerpt(host, 100), environment, key.Host)
	}
	if _, err := signature.HostSigners([]signature.HostKey{key}).Verify(signed, namespace, r.Now()); err != nil {
		return fmt.Errorf("%w (trusted_hosts has the key that is pinned; a host that was set up again has another, which rpctl agent pin --env %s reads)", err, environment)
	}
	return nil
}

// pinned is the key that receipts of an environment must be signed by.
func (r *run) pinned(environment string) (signature.HostKey, error) {
	e, _ := r.environment(environment)
	return e.TrustedHosts.Key(environment)
}

func (r *run) badReceipt(to fleet.Target, err error) error {
	return &exit.Error{
		Code: exit.HostFailed, Host: to.Host, Err: err, Message: "sent a receipt that cannot be used: " + err.Error(),
		Next: "rpctl doctor --env " + to.Environment,
	}
}

// stored reads a receipt that lies beside the plan, and verifies it.
func (r *run) stored(environment, file, namespace string, content any, check func() (host string, err error)) (proto.Signed, error) {
	signed, err := r.store.read(environment+file, namespace)
	if err != nil {
		return signed, err
	}
	if err := proto.DecodeStrict([]byte(signed.Body), content); err != nil {
		return signed, fmt.Errorf("%s cannot be read: %w", r.store.path(environment+file), err)
	}
	hosttext.Clean(content)
	host, err := check()
	if err == nil {
		err = r.verify(environment, host, namespace, signed)
	}
	if local := (*exit.Error)(nil); errors.As(err, &local) {
		return signed, local
	}
	if err != nil {
		return signed, fmt.Errorf("%s cannot be used: %w", r.store.path(environment+file), err)
	}
	return signed, nil
}

// storedSimulation is what the last simulation on an environment found.
func (r *run) storedSimulation(environment string) (proto.Simulation, error) {
	var simulation proto.Simulation
	_, err := r.stored(environment, simulationFile, proto.NamespaceSimulation, &simulation, func() (string, error) {
		return simulation.Host, r.fitsSimulation(environment, simulation)
	})
	return simulation, err
}

// storedApplied is the receipt of an environment where this plan was applied.
func (r *run) storedApplied(environment string) (proto.Signed, error) {
	var applied proto.Applied
	return r.stored(environment, appliedFile, proto.NamespaceApplied, &applied, func() (string, error) {
		return applied.Host, r.fits(environment, applied.Kind, "applied", applied.Environment, applied.Plan, len(applied.Steps))
	})
}
