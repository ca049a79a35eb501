// Package lab makes real hosts on one machine: a bastion, preprod and prod, each
// a Debian under systemd-nspawn with its own systemd, D-Bus, polkit and sshd, and
// on the last two a small Symfony application with real Messenger workers in
// Deployer's layout, on SQLite or on a MariaDB of its own host ([Options.Database]). It needs
// root on a Debian machine.
//
// The hosts share the machine's network; each sshd listens on port 22 of its own
// loopback address (2222 where 22 is taken), so nothing leaves the machine. Everything that the lab
// writes is below one folder (see [Folder]).
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options say which lab to make. The zero value is the one of `make lab`.
type Options struct {
	Dir   string // where caches and hosts are; Folder() when empty
	Slot  Slot   // several labs may be up at once, each in a slot of its own
	Suite Suite  // Bookworm when empty
	Roles []Role // Roles when empty
	// Database is what preprod and prod keep the application's data in; SQLite when empty.
	Database Database
	// Keep lets the hosts outlive this process: `make lab`. Without it what is
	// left of an earlier lab in the slot is taken for the remains of a crash.
	Keep bool
	// Wait waits for the slot instead of refusing when another process has it.
	Wait bool
	Log  io.Writer // progress for people; nil is silent
}

// Lab is a set of hosts that are up, and what a developer needs to reach them.
type Lab struct {
	Suite    Suite
	Database Database
	// Dir holds everything of this lab: hosts, keys, configuration, work tree.
	Dir   string
	slot  Slot
	port  string
	hosts []*Host
	log   io.Writer
	lock  *lock
}

// ErrUp says that a lab is up in this slot already, or being used.
var ErrUp = errors.New("a lab is up already")

// Up makes the hosts and returns when each has booted and answers on its SSH port.
// The image is built first where the cache has none (about a minute; needs the network).
// A failure leaves nothing running.
func Up(ctx context.Context, o Options) (*Lab, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	lock, err := takeLock(ctx, o)
	if err != nil {
		return nil, err
	}
	l := &Lab{Suite: o.Suite, Database: o.Database, Dir: o.runDir(), slot: o.Slot, log: o.Log, lock: lock}
	if o.Keep {
		if s, err := readState(l.Dir); err == nil && len(s.running(l.Dir)) > 0 {
			lock.release()
			return nil, fmt.Errorf("%w (%s, since %s): type `make lab-down` first", ErrUp, s.Suite, s.Since.Format(time.DateTime))
		}
	}
	if err := l.start(ctx, o); err != nil {
		err = errors.Join(err, l.remove(context.WithoutCancel(ctx)))
		lock.release()
		return nil, err
	}
	if o.Keep {
		return l, errors.Join(l.writeState(o.Roles), lock.release())
	}
	return l, nil
}

// start makes everything that Up promises in a slot that is locked.
func (l *Lab) start(ctx context.Context, o Options) error {
	began := time.Now()
	if err := l.remove(ctx); err != nil {
		return err
	}
	port, err := o.Slot.freePort(ctx, o.Roles)
	if err != nil {
		return err
	}
	l.port = port
	images, err := o.images(ctx)
	if err != nil {
		return err
	}
	built := time.Now()
	if err := l.prepareDeveloper(ctx, o.Roles); err != nil {
		return err
	}
	for _, role := range o.Roles {
		l.hosts = append(l.hosts, l.newHost(role))
	}
	if err := l.each(func(h *Host) error { return h.create(ctx, images[h.Role], o.database(h.Role)) }); err != nil {
		return err
	}
	if err := l.writeKnownHosts(); err != nil {
		return err
	}
	if err := l.each(func(h *Host) error { return h.Boot(ctx) }); err != nil {
		return err
	}
	if err := l.each(func(h *Host) error { return h.settle(ctx) }); err != nil {
		return err
	}
	l.say("lab is up: %d hosts, %s, %.1f s (image %.1f s)", len(l.hosts), l.Suite,
		time.Since(began).Seconds(), built.Sub(began).Seconds())
	return l.giveToDeveloper()
}

// each runs f on all hosts at once and joins what went wrong.
func (l *Lab) each(f func(*Host) error) error {
	return each(l.hosts, func(h *Host) error {
		if err := f(h); err != nil {
			return fmt.Errorf("%s: %w", h.Role, err)
		}
		return nil
	})
}

func each[T any](all []T, f func(T) error) error {
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i, one := range all {
		wait.Go(func() { errs[i] = f(one) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// Down stops the hosts and removes them; the image stays in the cache.
func (l *Lab) Down(ctx context.Context) error {
	return errors.Join(l.remove(ctx), l.lock.release())
}

// Down stops and removes the lab of a slot, whoever made it. No lab is no error.
func Down(ctx context.Context, o Options) error {
	o, err := o.checked()
	if err != nil {
		return err
	}
	lock, err := takeLock(ctx, o)
	if err != nil {
		return err
	}
	l := &Lab{Dir: o.runDir(), log: o.Log, lock: lock}
	return l.Down(ctx)
}

// Open finds the lab that `make lab` left up in a slot.
func Open(o Options) (*Lab, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	s, err := readState(o.runDir())
	if err != nil || len(s.running(o.runDir())) < len(s.Roles) {
		return nil, errors.New("no lab is up: type `make lab` first")
	}
	l := &Lab{Suite: s.Suite, Database: s.Database, Dir: o.runDir(), slot: o.Slot, port: s.Port, log: o.Log, lock: &lock{}}
	for _, role := range s.Roles {
		l.hosts = append(l.hosts, l.newHost(role))
	}
	return l, nil
}

// remove stops what runs below the lab's folder and removes the folder, after a crash too.
func (l *Lab) remove(ctx context.Context) error {
	if err := stopBelow(ctx, l.Dir); err != nil {
		return err
	}
	if err := unmountBelow(ctx, l.Dir); err != nil {
		return err
	}
	if err := os.RemoveAll(l.Dir); err != nil {
		return fmt.Errorf("cannot remove the lab's folder: %w", err)
	}
	return nil
}

// Hosts are the lab's hosts in the order of [Roles].
func (l *Lab) Hosts() []*Host { return l.hosts }

// Host is the host of a role, nil when this lab has none.
func (l *Lab) Host(role Role) *Host {
	for _, h := range l.hosts {
		if h.Role == role {
			return h
		}
	}
	return nil
}

func (l *Lab) path(elem ...string) string {
	return filepath.Join(append([]string{l.Dir}, elem...)...)
}

func (l *Lab) say(format string, args ...any) {
	if l.log != nil {
		fmt.Fprintf(l.log, format+"\n", args...)
	}
}
