// Package places bounds how many connections one user holds at a time, so that others are still
// served. The socket's MaxConnectionsPerSource= says the same, but systemd counts users of local
// sockets from 256 on only.
package places

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Max is half of what the socket takes in all (rp-agent.socket, MaxConnections=): developers share
// the application's login, so it is not a few.
const Max = 32

// ErrFull says that the user has Max connections already.
var ErrFull = errors.New("no place left")

// Take takes one of the user's places, a lock below state that ends with the process or with free. It
// does not wait. Root has no bound. The error is ErrFull, or says why places cannot be counted.
func Take(state string, uid uint32) (free func(), err error) {
	if uid == 0 {
		return func() {}, nil
	}
	dir := filepath.Join(state, "places")
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cannot count connections: %w", err)
	}
	for n := range Max {
		place := flock.New(filepath.Join(dir, fmt.Sprintf("%d-%d", uid, n)))
		taken, err := place.TryLock()
		if err != nil {
			return nil, fmt.Errorf("cannot count connections: %w", err)
		}
		if taken {
			return func() { _ = place.Unlock() }, nil
		}
	}
	return nil, ErrFull
}
