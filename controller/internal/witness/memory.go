package witness

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

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

const (
	version = 1
	maxSeen = 64 << 10 // bytes of a file
)

// Memory is a folder with one file for each host. Several rpctl may use it at once.
type Memory struct {
	Folder string // empty: nothing is remembered
	// Config is the ssh configuration by which aliases are meant, where it is not the user's own.
	Config string
}

// In is the folder of the XDG base directory specification for state; empty where there is no home.
func In(getenv func(string) string) string {
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // the specification wants a relative one ignored
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return ""
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "rpctl", "audits")
}

// Path is the file of one host.
func (m Memory) Path(environment, host string) string {
	sum := sha256.Sum256([]byte(environment + "\x00" + host + "\x00" + m.Config))
	return filepath.Join(m.Folder, hex.EncodeToString(sum[:16])+".json")
}

// Recall is what is remembered of a host; false where it was never spoken to.
func (m Memory) Recall(environment, host string) (Seen, bool, error) {
	if m.Folder == "" {
		return Seen{}, false, nil
	}
	path := m.Path(environment, host)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Seen{}, false, nil
	}
	if err != nil {
		return Seen{}, false, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxSeen+1))
	if err == nil {
		var seen Seen
		if seen, err = parse(data); err == nil && (seen.Environment != environment || seen.Host != host) {
			err = errors.New("it is of another host")
		}
		if err == nil {
			return seen, true, nil
		}
	}
	return Seen{}, false, fmt.Errorf("cannot read %s: %w", path, err)
}

// parse reads a file of the memory.
func parse(data []byte) (Seen, error) {
	var seen Seen
	if len(data) > maxSeen {
		return seen, fmt.Errorf("it is longer than %d bytes", maxSeen)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&seen); err != nil {
		return Seen{}, errors.New("it is not JSON of its form")
	}
	hash, err := hex.DecodeString(seen.Audit.Head)
	switch {
	case seen.Version != version:
		return Seen{}, fmt.Errorf("it is of version %d, and this rpctl knows %d", seen.Version, version)
	case seen.Audit.Length < 0, err != nil, seen.Audit.Length > 0 && len(hash) != sha256.Size, seen.Audit.Length == 0 && len(hash) != 0:
		return Seen{}, errors.New("it names no end of an audit")
	}
	return seen, nil
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
	path := m.Path(seen.Environment, seen.Host)
	lock := flock.New(path + ".lock")
	if err := lock.Lock(); err != nil { // it is held for as long as a small file takes to write
		return err
	}
	defer func() { _ = lock.Unlock() }()
	if before, known, err := m.Recall(seen.Environment, seen.Host); !anyway && (err != nil || known && before.Audit.Length >= seen.Audit.Length) {
		return err
	}
	seen.Version = version
	data, err := json.Marshal(seen)
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, append(data, '\n'), 0o600)
}
