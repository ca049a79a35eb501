package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// data is all that the application keeps.
type data struct {
	Seed
	Effects []Effect `json:"effects"`
}

// store is the application's database: one JSON file, locked for each transaction.
type store struct{ file string }

func (a application) store() store { return store{a.shared("var/app.json")} }

// read is the data as they are between two transactions.
func (s store) read() (*data, error) {
	text, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return &data{}, nil
	}
	var d data
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the application's data: %w", err)
	}
	return &d, nil
}

// transaction lets change work on the data and keeps all of it, or nothing when it fails.
func (s store) transaction(change func(*data) error) error {
	if err := os.MkdirAll(filepath.Dir(s.file), 0o755); err != nil {
		return err
	}
	lock := flock.New(s.file + ".lock")
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("cannot lock the application's data: %w", err)
	}
	defer func() { _ = lock.Unlock() }()
	d, err := s.read()
	if err != nil {
		return err
	}
	if err := change(d); err != nil {
		return err
	}
	return s.write(d)
}

// write replaces the file, so that a process that is killed leaves the data before or after, never between.
func (s store) write(d *data) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(s.file), ".app-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("cannot write the application's data: %w", err)
	}
	return os.Rename(f.Name(), s.file)
}
