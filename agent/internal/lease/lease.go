// Package lease says who holds this host, and whether that holder is alive.
//
// A lease is an flock(2) on the file `lease` in the agent's state folder, held by
// the process that serves the holder's connection. The kernel drops it with the
// process, so no lease outlives its holder and nothing ever has to be unlocked by
// somebody else. `lease.json` beside it says who the holder is; without the lock
// that file means nothing. `lease.gate` is locked for the instant in which the two
// are changed or read together, so that a reader never gets in a taker's way.
package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/re-connect/rpctl/agent/internal/statefile"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

const (
	lockName   = "lease"
	holderName = "lease.json"
	gateName   = "lease.gate"

	// gateWait bounds the wait for another process that is between two system calls.
	gateWait  = 5 * time.Second
	gateRetry = 5 * time.Millisecond

	// maxHolder bounds what is read of the holder file.
	maxHolder = 64 << 10
)

// Lease is held until Release, or until this process ends.
type Lease struct {
	dir  string
	lock *flock.Flock
}

// Acquire takes the host for holder; dir is the agent's state folder. It does not wait:
// when somebody else holds the host the error is a *proto.Error of CodeLeaseHeld
// that names them; when the folder cannot be written, one of CodeStorage.
func Acquire(dir string, holder proto.Holder) (*Lease, error) {
	open, err := passGate(dir)
	if err != nil {
		return nil, storage("take the host", err)
	}
	defer open()
	lock := flock.New(filepath.Join(dir, lockName))
	got, err := lock.TryLock()
	if err != nil {
		return nil, storage("take the host", err)
	}
	if !got {
		return nil, held(readHolder(dir))
	}
	if err := writeHolder(dir, holder); err != nil {
		_ = lock.Unlock()
		return nil, storage("take the host", err)
	}
	return &Lease{dir: dir, lock: lock}, nil
}

// Release gives the host back. A second call does nothing.
func (l *Lease) Release() error {
	if !l.lock.Locked() {
		return nil
	}
	// The lock is what counts: it is dropped even when the gate or the file cannot be had.
	if open, err := passGate(l.dir); err == nil {
		defer open()
		_ = os.Remove(filepath.Join(l.dir, holderName))
	}
	if err := l.lock.Unlock(); err != nil {
		return fmt.Errorf("cannot give the host back: %w", err)
	}
	return nil
}

// HolderOf says who holds the host now; nil means nobody. A holder file that was
// left without its lock (a killed holder, a reboot) is nobody.
func HolderOf(dir string) (*proto.Holder, error) {
	if _, err := os.Stat(filepath.Join(dir, lockName)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	open, err := passGate(dir)
	if err != nil {
		return nil, storage("say who holds the host", err)
	}
	defer open()
	lock := flock.New(filepath.Join(dir, lockName), flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	if err != nil {
		return nil, storage("say who holds the host", err)
	}
	if free {
		return nil, lock.Unlock()
	}
	return readHolder(dir), nil
}

// passGate locks the gate and returns what opens it again.
func passGate(dir string) (func(), error) {
	ctx, cancel := context.WithTimeout(context.Background(), gateWait)
	defer cancel()
	gate := flock.New(filepath.Join(dir, gateName))
	if _, err := gate.TryLockContext(ctx, gateRetry); err != nil {
		return nil, err
	}
	return func() { _ = gate.Unlock() }, nil
}

func writeHolder(dir string, holder proto.Holder) error {
	data, err := json.Marshal(holder)
	if err != nil {
		return err
	}
	return statefile.Replace(filepath.Join(dir, holderName), append(data, '\n'), 0o600)
}

// readHolder never fails: the lock proves that there is a holder, whatever the file says.
func readHolder(dir string) *proto.Holder {
	holder := &proto.Holder{}
	file, err := os.Open(filepath.Join(dir, holderName))
	if err != nil {
		return holder
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxHolder))
	if err != nil || json.Unmarshal(data, holder) != nil {
		return &proto.Holder{}
	}
	return holder
}

func held(holder *proto.Holder) *proto.Error {
	who := "somebody who left no name"
	if holder.User != "" {
		who = string(holder.User)
		if holder.Operator != "" {
			who = fmt.Sprintf("%s (%s)", holder.Operator, holder.User)
		}
		who = fmt.Sprintf("%s, for %s, since %s", printable.Excerpt(who, 200),
			printable.Excerpt(string(holder.Purpose), 60), holder.Since.UTC().Format("2006-01-02 15:04:05 MST"))
	}
	return &proto.Error{
		Code:    proto.CodeLeaseHeld,
		Message: proto.HostText("cannot take the host: it is held by " + who),
		Advice:  proto.Advice{Code: proto.AdviceStatus}, // nothing has to be unlocked: a lease ends with its holder's connection
		Holder:  holder,
	}
}

func storage(what string, err error) *proto.Error {
	return &proto.Error{
		Code:    proto.CodeStorage,
		Message: proto.Textf("cannot %s: %v", what, err),
		Advice:  proto.Advice{Code: proto.AdviceHostDoctor},
	}
}
