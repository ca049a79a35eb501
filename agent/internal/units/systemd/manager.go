// Package systemd keeps the contract of package units over D-Bus.
//
// Reading needs no privilege; RestartUnit and ResetFailedUnit are judged by
// polkit. What a unit does on the way is learnt from signals, and from polling
// behind them, since a signal can be missed (a daemon-reexec, for one).
package systemd

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	sdbus "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/re-connect/rpctl/agent/internal/units"
)

// The names of systemd's D-Bus interface, org.freedesktop.systemd1(5).
const (
	destination   = "org.freedesktop.systemd1"
	managerPath   = dbus.ObjectPath("/org/freedesktop/systemd1")
	unitPrefix    = "/org/freedesktop/systemd1/unit/"
	managerFace   = "org.freedesktop.systemd1.Manager"
	unitFace      = "org.freedesktop.systemd1.Unit"
	propertyFace  = "org.freedesktop.DBus.Properties"
	changedMember = "PropertiesChanged"
	removedMember = "JobRemoved"
)

// Manager is the systemd of this host.
type Manager struct{ bus *bus }

var _ units.Manager = (*Manager)(nil)

// New connects to the system bus. ctx bounds the connecting, not the connection's life.
func New(ctx context.Context) (*Manager, error) { return open(ctx) }

func open(ctx context.Context, options ...dbus.ConnOption) (*Manager, error) {
	bus, err := dial(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("cannot reach systemd over D-Bus: %w", err)
	}
	return &Manager{bus}, nil
}

// Close ends the connection; restarts that are followed end with an error, their jobs go on.
func (m *Manager) Close() error { return m.bus.close() }

// State reads a unit.
func (m *Manager) State(ctx context.Context, unit string) (units.State, error) {
	found, err := m.read(ctx, unit)
	if errors.Is(err, units.ErrNotFound) {
		return units.State{Unit: unit, Load: "not-found", Active: "inactive", Sub: "dead"}, nil
	}
	return found.state, err
}

// ResetFailed forgets failures and the start limit of a unit.
func (m *Manager) ResetFailed(ctx context.Context, unit string) error {
	if err := checkName(unit); err != nil {
		return fmt.Errorf("cannot reset %s: %w", unit, err)
	}
	err := Explain(m.call(ctx, "ResetFailedUnit", unit).Err)
	if errors.Is(err, units.ErrNotFound) {
		// It is not loaded, so there is nothing to forget; but does it exist?
		var state units.State
		if state, err = m.State(ctx, unit); err == nil && state.Load == "not-found" {
			err = units.ErrNotFound
		}
	}
	if err != nil {
		return fmt.Errorf("cannot reset %s: %w", unit, err)
	}
	return nil
}

// call asks the manager. Interactive authorization is not allowed: nobody is there to answer.
func (m *Manager) call(ctx context.Context, method string, args ...any) *dbus.Call {
	object := m.bus.conn.Object(destination, managerPath)
	return object.CallWithContext(ctx, managerFace+"."+method, 0, args...)
}

// reading is a unit, its one true name (an alias has the path of what it stands for), and the
// job that waits or runs for it (0 when none).
type reading struct {
	state units.State
	path  dbus.ObjectPath
	job   uint32
}

// read asks for all properties of all interfaces in one call, so that they fit each other.
// It also makes systemd load the unit.
func (m *Manager) read(ctx context.Context, unit string) (reading, error) {
	if err := checkName(unit); err != nil {
		return reading{}, fmt.Errorf("cannot read %s: %w", unit, err)
	}
	var all properties
	object := m.bus.conn.Object(destination, unitPath(unit))
	if err := object.CallWithContext(ctx, propertyFace+".GetAll", 0, "").Store(&all); err != nil {
		return reading{}, fmt.Errorf("cannot read %s: %w", unit, Explain(err))
	}
	found := reading{state: units.State{Unit: unit}, path: unitPath(unit)}
	apply(&found.state, all)
	applyProcessor(&found.state, all, cgroupRoots)
	if id, ok := text(all, "Id"); ok {
		found.path = unitPath(id)
	}
	found.job, _ = jobOf(all)
	return found, nil
}

func unitPath(unit string) dbus.ObjectPath {
	return dbus.ObjectPath(unitPrefix + sdbus.PathBusEscape(unit))
}

// serviceName is systemd.unit(5)'s form of a service name that can be started: no bare template.
var serviceName = regexp.MustCompile(`^[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\@-]+)?\.service$`)

// checkName says that there can be no such unit before the bus is asked for an odd path.
func checkName(unit string) error {
	if len(unit) > 255 || !serviceName.MatchString(unit) {
		return fmt.Errorf("%w: %.80q is no name of a service", units.ErrNotFound, unit)
	}
	return nil
}

// Explain turns an answer of the bus into the errors of package units, for all who ask systemd.
func Explain(err error) error {
	var answer dbus.Error
	if !errors.As(err, &answer) {
		return err
	}
	switch answer.Name {
	case "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired":
		return fmt.Errorf("%w: %s", units.ErrNoRule, answer.Error())
	case "org.freedesktop.DBus.Error.AccessDenied":
		return fmt.Errorf("%w: %s", units.ErrRefused, answer.Error())
	case "org.freedesktop.systemd1.NoSuchUnit":
		return units.ErrNotFound
	case "org.freedesktop.systemd1.UnitMasked":
		return units.ErrMasked
	}
	return fmt.Errorf("%s (%s)", answer.Error(), answer.Name)
}
