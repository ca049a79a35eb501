package witness

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"

	"github.com/re-connect/rpctl/controller/internal/local"
	"github.com/re-connect/rpctl/proto"
)

// Seen is what is remembered of one host.
type Seen struct {
	Version     int             `json:"version"`
	Environment string          `json:"environment"`
	Host        string          `json:"host"` // alias
	Name        string          `json:"name"` // as the host calls itself
	ReceiptKey  string          `json:"receipt_key,omitempty"`
	Audit       proto.AuditHead `json:"audit"`
	Time        time.Time       `json:"time"`
}

const version = 1

// Memory is a folder with one file for each host. Several rpctl may use it at once.
type Memory struct {
	Folder string // empty: nothing is remembered
	// Config is the ssh configuration by which aliases are meant, where it is not the user's own.
	Config string
}

// key names one host.
func (m Memory) key(environment, host string) string {
	return environment + "\x00" + host + "\x00" + m.Config
}

// Path is the file of one host.
func (m Memory) Path(environment, host string) string {
	return local.Memory{Folder: m.Folder}.Path(m.key(environment, host))
}

// Recall is what is remembered of a host; false where it was never spoken to.
func (m Memory) Recall(environment, host string) (Seen, bool, error) {
	var seen Seen
	found, err := local.Memory{Folder: m.Folder}.Read(m.key(environment, host), &seen)
	if !found || err != nil {
		return Seen{}, false, err
	}
	err = seen.check()
	if err == nil && (seen.Environment != environment || seen.Host != host) {
		err = errors.New("it is of another host")
	}
	if err != nil {
		return Seen{}, false, fmt.Errorf("cannot use %s: %w", m.Path(environment, host), err)
	}
	return seen, true, nil
}

// check refuses what no rpctl of this version writes.
func (seen Seen) check() error {
	hash, err := hex.DecodeString(seen.Audit.Head)
	switch {
	case seen.Version != version:
		return fmt.Errorf("it is of version %d, and this rpctl knows %d", seen.Version, version)
	case seen.Audit.Length < 0, err != nil, seen.Audit.Length > 0 && len(hash) != sha256.Size, seen.Audit.Length == 0 && len(hash) != 0:
		return errors.New("it names no end of an audit")
	}
	return nil
}

// Remember keeps where a host's audit ends, unless another rpctl has seen it end later meanwhile.
func (m Memory) Remember(seen Seen) error { return m.write(seen, false) }

// Accept keeps where a host's audit ends, whatever was remembered.
func (m Memory) Accept(seen Seen) error { return m.write(seen, true) }

func (m Memory) write(seen Seen, anyway bool) error {
	if m.Folder == "" {
		return nil
	}
	if err := os.MkdirAll(m.Folder, 0o700); err != nil {
		return err
	}
	if err := local.Guard(m.Folder); err != nil {
		return err
	}
	lock := flock.New(m.Path(seen.Environment, seen.Host) + ".lock")
	if err := lock.Lock(); err != nil { // it is held for as long as a small file takes to write
		return err
	}
	defer func() { _ = lock.Unlock() }()
	if before, known, err := m.Recall(seen.Environment, seen.Host); !anyway && (err != nil || known && before.Audit.Length >= seen.Audit.Length) {
		return err
	}
	seen.Version = version
	if err := seen.check(); err != nil { // a host may tell what is no end of an audit
		return fmt.Errorf("cannot remember where the audit ends: %w", err)
	}
	return local.Memory{Folder: m.Folder}.Keep(m.key(seen.Environment, seen.Host), seen)
}
