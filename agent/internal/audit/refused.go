package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// Each refused change is a line that never goes away, and a member may ask again in a loop. Of one user the first refusals
// of a window are written one by one, the others are counted and written as one line later. A user who continues gets
// longer windows.
const (
	refusedInWindow = 16
	refusedWindow   = time.Minute
	refusedDoubled  = 6 // at most so often: 64 min
	maxRefused      = 512
)

// refusedFolder has a file for each user. What it counts is lost in a power cut: it is no evidence.
const refusedFolder = "refused"

// refused is what is known of the refusals of one user.
type refused struct {
	Since   time.Time `json:"since"`   // the window's begin
	Doubled int       `json:"doubled"` // how often the window was made longer
	Written int       `json:"written"` // lines in this window
	Counted int       `json:"counted"` // refusals without a line
	User    string    `json:"user"`
}

// over says that the window has passed. A clock that was turned back ends it too.
func (r refused) over(now time.Time) bool {
	return now.Sub(r.Since).Abs() >= refusedWindow<<r.Doubled
}

// Refuse appends the entry of a refused change, or counts it where the user was refused too often. An error is that of
// Append, or says that refusals cannot be counted.
func (l *Log) Refuse(entry proto.AuditEntry) error {
	entry.Detail = printable.Excerpt(entry.Detail, maxRefused)
	return l.ration(entry.UID, func(r *refused) error {
		r.User = entry.User
		if r.Written >= refusedInWindow {
			r.Counted++
			return nil
		}
		_, err := l.Append(entry)
		if err == nil {
			r.Written++
		}
		return err
	})
}

// TellRefused writes what was counted of users whose window has passed. It is called for each connection, so that the
// line does not wait for the next refusal of the same user.
func (l *Log) TellRefused() error {
	files, err := os.ReadDir(filepath.Join(l.dir, refusedFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, file := range files {
		name, isCount := strings.CutSuffix(file.Name(), ".json")
		uid, bad := strconv.ParseUint(name, 10, 32)
		if isCount && bad == nil {
			err = cmp.Or(err, l.ration(uint32(uid), func(*refused) error { return nil }))
		}
	}
	return err
}

// ration begins a new window of the user where the last has passed, and calls change with what is known then.
func (l *Log) ration(uid uint32, change func(*refused) error) error {
	folder := filepath.Join(l.dir, refusedFolder)
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return storage("count refusals", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	path := filepath.Join(folder, fmt.Sprint(uid))
	lock := flock.New(path + ".lock")
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return storage("count refusals", err)
	}
	defer func() { _ = lock.Unlock() }()
	known := readRefused(path + ".json")
	before := known
	err := l.turn(uid, &known)
	if err == nil {
		err = change(&known)
	}
	if known == before {
		return err
	}
	data, bad := json.Marshal(known)
	return cmp.Or(err, bad, os.WriteFile(path+".json", data, 0o600))
}

// readRefused is what a file says; one that cannot be read, or was cut off, counts nothing.
func readRefused(path string) (known refused) {
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &known) != nil || known.Doubled < 0 || known.Doubled > refusedDoubled {
		return refused{}
	}
	return known
}

// turn begins a new window where the last has passed, with a line for what was counted in it.
func (l *Log) turn(uid uint32, known *refused) error {
	now := l.now()
	if known.Since.IsZero() {
		known.Since = now
	}
	if !known.over(now) {
		return nil
	}
	next := refused{Since: now, User: known.User}
	if known.Counted > 0 {
		if _, err := l.Append(proto.AuditEntry{Action: ActionRefused, User: known.User, UID: uid, Result: string(proto.CodeLimit),
			Detail: fmt.Sprintf("and %d more refused changes since %s", known.Counted, known.Since.UTC().Format(time.RFC3339))}); err != nil {
			return err
		}
		next.Doubled = min(known.Doubled+1, refusedDoubled)
	} else if known.Written == 0 {
		return nil // nothing to forget
	}
	*known = next
	return nil
}
