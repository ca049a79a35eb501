package systemd

import (
	"context"
	"errors"
	"sync"

	"github.com/godbus/dbus/v5"
)

// errLost says that the bus is gone: what was asked of systemd goes on without a witness.
var errLost = errors.New("the connection to D-Bus was lost")

const (
	busName      = "org.freedesktop.DBus"
	ownerChanged = "NameOwnerChanged"
)

// bus is one connection to the system bus and the watches that its signals feed.
type bus struct {
	conn *dbus.Conn
	end  context.CancelFunc
	lost chan struct{} // closed when no signal will come any more

	mu      sync.Mutex
	owner   string // unique name of systemd: a signal from anybody else is a forgery
	watches map[dbus.ObjectPath]map[*watch]struct{}
}

// dial connects and subscribes. The library takes its context for the connection's
// whole life, so ctx only gets to end it while it is being made.
func dial(ctx context.Context, options ...dbus.ConnOption) (*bus, error) {
	life, end := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, end)
	options = append(options, dbus.WithContext(life),
		dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	conn, err := dbus.ConnectSystemBus(options...)
	if err != nil {
		stop()
		end()
		return nil, errors.Join(ctx.Err(), err)
	}
	b := &bus{conn: conn, end: end, lost: make(chan struct{}), watches: map[dbus.ObjectPath]map[*watch]struct{}{}}
	if err = b.subscribe(ctx); err == nil && !stop() {
		err = ctx.Err()
	}
	if err != nil {
		_ = b.close()
		return nil, err
	}
	return b, nil
}

// subscribe makes systemd send signals and the bus pass on those that every watch needs.
func (b *bus) subscribe(ctx context.Context) error {
	signals := make(chan *dbus.Signal, 64)
	b.conn.Signal(signals)
	go b.dispatch(signals)
	rules := [][]dbus.MatchOption{
		{dbus.WithMatchSender(busName), dbus.WithMatchInterface(busName),
			dbus.WithMatchMember(ownerChanged), dbus.WithMatchArg(0, destination)},
		{dbus.WithMatchSender(destination), dbus.WithMatchInterface(managerFace),
			dbus.WithMatchMember(removedMember), dbus.WithMatchObjectPath(managerPath)},
	}
	for _, rule := range rules {
		if err := b.conn.AddMatchSignalContext(ctx, rule...); err != nil {
			return err
		}
	}
	var owner string
	if err := b.conn.BusObject().CallWithContext(ctx, busName+".GetNameOwner", 0, destination).Store(&owner); err != nil {
		return err
	}
	b.setOwner(owner)
	return b.conn.Object(destination, managerPath).CallWithContext(ctx, managerFace+".Subscribe", 0).Err
}

func (b *bus) close() error {
	defer b.end()
	return b.conn.Close()
}

func (b *bus) setOwner(owner string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owner = owner
}

// dispatch hands signals to their watches. It never blocks: a watch that nobody
// reads drops its oldest changes.
func (b *bus) dispatch(signals <-chan *dbus.Signal) {
	defer close(b.lost)
	for signal := range signals {
		b.deliver(signal)
	}
}

// deliver checks the sender, which the bus itself writes: any local user can send any
// signal straight to this connection, and a forged one must not pass for evidence.
func (b *bus) deliver(signal *dbus.Signal) {
	if signal.Sender == busName {
		var name, old, owner string
		if signal.Name == busName+"."+ownerChanged && dbus.Store(signal.Body, &name, &old, &owner) == nil && name == destination {
			b.setOwner(owner)
		}
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner == "" || signal.Sender != b.owner {
		return
	}
	switch signal.Name {
	case propertyFace + "." + changedMember:
		var c change
		var invalidated []string
		if dbus.Store(signal.Body, &c.face, &c.props, &invalidated) == nil {
			for w := range b.watches[signal.Path] {
				w.changed(c)
			}
		}
	case managerFace + "." + removedMember:
		var id uint32
		var job dbus.ObjectPath
		var unit, result string
		if dbus.Store(signal.Body, &id, &job, &unit, &result) == nil {
			for w := range b.watches[unitPath(unit)] {
				w.jobRemoved(id, result)
			}
		}
	}
}
