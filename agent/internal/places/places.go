// Package places bounds how many connections one user holds at a time, and all users together, so that others are still
// served. The socket's MaxConnectionsPerSource= is a bound for one user too, but systemd counts users of local sockets
// from 256 on only.
package places

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Of the connections that the socket takes in all (rp-agent.socket, MaxConnections=128), 16 are left for root and for
// those that are about to be refused.
const (
	Max        = 24 // of one user: developers may share a login, so it is not a few
	reserve    = 4  // more of one user, to list and cancel jobs
	maxAll     = 96 // of all users but root
	reserveAll = 16 // more of all users, to list and cancel jobs
)

// ErrFull says that not even a reserved place is left.
var ErrFull = errors.New("no place left")

// Place is a lock below the state folder that ends with the process or with Free.
type Place struct {
	// Reserved says that the ordinary places are taken: the place is for listing and cancelling jobs.
	Reserved bool
	locks    []*flock.Flock
}

// Free gives the place back.
func (p Place) Free() {
	for _, lock := range p.locks {
		_ = lock.Unlock()
	}
}

// Take takes one of the user's places. It does not wait. Root has no bound. The error is ErrFull, or says why places
// cannot be counted.
func Take(state string, uid uint32) (Place, error) {
	if uid == 0 {
		return Place{}, nil
	}
	dir := filepath.Join(state, "places")
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return Place{}, fmt.Errorf("cannot count connections: %w", err)
	}
	own, all := filepath.Join(dir, fmt.Sprint(uid)), filepath.Join(dir, "all")
	place, err := take(span{own, 0, Max}, span{all, 0, maxAll})
	if !errors.Is(err, ErrFull) {
		return place, err
	}
	place, err = take(span{own, Max, Max + reserve}, span{all, maxAll, maxAll + reserveAll})
	place.Reserved = true
	return place, err
}

// span is the numbered locks from first to below end.
type span struct {
	name       string
	first, end int
}

// take takes one lock of each span, or none.
func take(spans ...span) (Place, error) {
	var place Place
	for _, s := range spans {
		lock, err := s.any()
		if err != nil {
			place.Free()
			return Place{}, err
		}
		place.locks = append(place.locks, lock)
	}
	return place, nil
}

func (s span) any() (*flock.Flock, error) {
	for n := s.first; n < s.end; n++ {
		lock := flock.New(fmt.Sprintf("%s-%d", s.name, n))
		taken, err := lock.TryLock()
		if err != nil {
			return nil, fmt.Errorf("cannot count connections: %w", err)
		}
		if taken {
			return lock, nil
		}
	}
	return nil, ErrFull
}
