package systemd

import (
	"testing"

	"github.com/godbus/dbus/v5"
)

const (
	systemdName = ":1.0"
	strangerBus = ":1.99"
)

func changeSignal(sender string, path dbus.ObjectPath, active string) *dbus.Signal {
	return &dbus.Signal{Sender: sender, Path: path, Name: propertyFace + "." + changedMember,
		Body: []any{unitFace, properties{"ActiveState": dbus.MakeVariant(active)}, []string{}}}
}

func removedSignal(sender, unit string, job uint32, result string) *dbus.Signal {
	return &dbus.Signal{Sender: sender, Path: managerPath, Name: managerFace + "." + removedMember,
		Body: []any{job, dbus.ObjectPath("/org/freedesktop/systemd1/job/7"), unit, result}}
}

func ownerSignal(sender, owner string) *dbus.Signal {
	return &dbus.Signal{Sender: sender, Path: "/org/freedesktop/DBus", Name: busName + "." + ownerChanged,
		Body: []any{destination, systemdName, owner}}
}

func TestDeliverTakesSignalsOfSystemdOnly(t *testing.T) {
	const unit = "worker@1.service"
	tests := []struct {
		name          string
		signals       []*dbus.Signal
		changes, jobs int
	}{
		{"of systemd", []*dbus.Signal{changeSignal(systemdName, unitPath(unit), "active"), removedSignal(systemdName, unit, 7, "done")}, 1, 1},
		{"forged", []*dbus.Signal{changeSignal(strangerBus, unitPath(unit), "active"), removedSignal(strangerBus, unit, 7, "done")}, 0, 0},
		{"of another unit", []*dbus.Signal{changeSignal(systemdName, unitPath("worker@2.service"), "active"), removedSignal(systemdName, "worker@2.service", 7, "done")}, 0, 0},
		{"misshapen", []*dbus.Signal{
			{Sender: systemdName, Path: unitPath(unit), Name: propertyFace + "." + changedMember, Body: []any{7}},
			{Sender: systemdName, Path: managerPath, Name: managerFace + "." + removedMember},
			{Sender: busName, Name: busName + "." + ownerChanged},
		}, 0, 0},
		{"after systemd came back under another name", []*dbus.Signal{ownerSignal(busName, ":1.5"),
			changeSignal(systemdName, unitPath(unit), "active"), changeSignal(":1.5", unitPath(unit), "active"), removedSignal(":1.5", unit, 7, "done")}, 1, 1},
		{"with a forged change of name", []*dbus.Signal{ownerSignal(strangerBus, strangerBus),
			changeSignal(strangerBus, unitPath(unit), "active")}, 0, 0},
		{"while systemd is away", []*dbus.Signal{ownerSignal(busName, ""), changeSignal("", unitPath(unit), "active")}, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := &watch{path: unitPath(unit), wake: make(chan struct{}, 1)}
			b := &bus{owner: systemdName, watches: map[dbus.ObjectPath]map[*watch]struct{}{w.path: {w: {}}}}
			for _, signal := range test.signals {
				b.deliver(signal)
			}
			changes, jobs := w.take()
			if len(changes) != test.changes || len(jobs) != test.jobs {
				t.Errorf("took %d changes and %d jobs, want %d and %d", len(changes), len(jobs), test.changes, test.jobs)
			}
			if woken := len(w.wake) == 1; woken != (test.changes+test.jobs > 0) {
				t.Errorf("woken: %v", woken)
			}
		})
	}
}

func TestWatchKeepsTheNewest(t *testing.T) {
	w := &watch{wake: make(chan struct{}, 1)}
	for i := range 10 * keptChanges {
		w.changed(change{face: unitFace})
		w.jobRemoved(uint32(i), "done")
	}
	changes, jobs := w.take()
	if len(changes) != keptChanges || len(jobs) != keptJobs {
		t.Errorf("kept %d changes and %d jobs", len(changes), len(jobs))
	}
	if last := jobs[len(jobs)-1].job; last != 10*keptChanges-1 {
		t.Errorf("the newest job is %d", last)
	}
}
