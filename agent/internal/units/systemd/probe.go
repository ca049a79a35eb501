package systemd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/re-connect/rpctl/agent/internal/units"
)

// ProbeStop asks to stop unit, to learn whether that is allowed: rules.d can be read by root
// only. unit must be one that cannot run, such as an instance that nobody starts: then
// nothing happens. The error is nil, a units.ErrRefused, or a units.ErrNoRule.
func (m *Manager) ProbeStop(ctx context.Context, unit string) error {
	return m.probe(ctx, "StopUnit", unit)
}

// ProbeStart asks to start unit, which must not exist: allowed or not, nothing starts. Its
// errors are ProbeStop's.
func (m *Manager) ProbeStart(ctx context.Context, unit string) error {
	return m.probe(ctx, "StartUnit", unit)
}

// probe counts "no such unit" as allowed: systemd asks polkit first and looks after.
func (m *Manager) probe(ctx context.Context, method, unit string) error {
	if err := checkName(unit); err != nil {
		return err
	}
	err := Explain(m.call(ctx, method, unit, "fail").Err)
	if err == nil || errors.Is(err, units.ErrNotFound) {
		return nil
	}
	return fmt.Errorf("cannot ask for %s of %s: %w", method, unit, err)
}

// Stale says that a unit's file changed since systemd read it: a daemon-reload is due.
func (m *Manager) Stale(ctx context.Context, unit string) (bool, error) {
	var stale bool
	err := m.property(ctx, destination, unitPath(unit), unitFace+".NeedDaemonReload", &stale)
	return stale, err
}

// Version is systemd's own (252.39-1~deb12u2).
func (m *Manager) Version(ctx context.Context) (string, error) {
	var version string
	err := m.property(ctx, destination, managerPath, managerFace+".Version", &version)
	return version, err
}

// Virtualization is what the host runs in, in systemd-detect-virt(1)'s words; empty on bare metal.
func (m *Manager) Virtualization(ctx context.Context) (string, error) {
	var kind string
	err := m.property(ctx, destination, managerPath, managerFace+".Virtualization", &kind)
	return kind, err
}

// PolkitVersion is what polkit says of itself (122).
func (m *Manager) PolkitVersion(ctx context.Context) (string, error) {
	const name = "org.freedesktop.PolicyKit1"
	var version string
	err := m.property(ctx, name, "/org/freedesktop/PolicyKit1/Authority", name+".Authority.BackendVersion", &version)
	return version, err
}

// ClockSynchronized says whether the kernel's clock follows a time server (timedatectl(1)).
func (m *Manager) ClockSynchronized(ctx context.Context) (bool, error) {
	const name = "org.freedesktop.timedate1"
	var synchronized bool
	err := m.property(ctx, name, "/org/freedesktop/timedate1", name+".NTPSynchronized", &synchronized)
	return synchronized, err
}

// property reads one property, whose name has its interface in front, into a pointer of its type.
func (m *Manager) property(ctx context.Context, service string, path dbus.ObjectPath, name string, into any) error {
	face, member := splitMember(name)
	var value dbus.Variant
	object := m.bus.conn.Object(service, path)
	if err := object.CallWithContext(ctx, propertyFace+".Get", 0, face, member).Store(&value); err != nil {
		return fmt.Errorf("cannot read %s: %w", name, Explain(err))
	}
	if err := value.Store(into); err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	return nil
}

func splitMember(name string) (face, member string) {
	dot := strings.LastIndexByte(name, '.')
	return name[:dot], name[dot+1:]
}
