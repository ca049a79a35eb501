package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/re-connect/rpctl/agent/internal/statefile"
	"github.com/re-connect/rpctl/proto"
)

// ErrNotFound says that there is no job of that id.
var ErrNotFound = errors.New("no such job")

// ErrExists says that the id is taken.
var ErrExists = errors.New("the job exists already")

// Store is the jobs of one host.
type Store struct{ dir string }

// New is the jobs below state, the agent's folder. Nothing is opened before it is needed.
func New(state string) Store { return Store{filepath.Join(state, "jobs")} }

func (s Store) path(id proto.JobID, name string) string {
	return filepath.Join(s.dir, string(id), name)
}

// Create makes a job. Making its folder is the permission to start it, and only one
// caller gets that; for the others the error is ErrExists. The caller holds Admit. After any other error
// there is no such job, unless the disk does not let it go.
func (s Store) Create(spec Spec, record Record) error {
	id := spec.Args.ID
	if !id.Valid() {
		return fmt.Errorf("%q is no job's id", string(id))
	}
	folder := filepath.Join(s.dir, string(id))
	err := os.Mkdir(folder, 0o700)
	if errors.Is(err, fs.ErrExist) {
		if _, err := os.Stat(s.path(id, "job.json")); err == nil {
			return ErrExists
		}
		// Whoever made the folder did not come to the point where anything is started.
		if err = os.RemoveAll(folder); err == nil {
			err = os.Mkdir(folder, 0o700)
		}
	}
	if err != nil {
		return storage("make job "+string(id), err)
	}
	if err := s.fill(spec, record); err != nil {
		_ = s.Remove(id) // what the disk does not let go is a job that nobody starts
		return err
	}
	return nil
}

// fill makes a folder a job, and brings that to the disk.
func (s Store) fill(spec Spec, record Record) error {
	id := spec.Args.ID
	if err := statefile.Write(s.path(id, "spec.json"), specVersion, spec, 0o600); err != nil {
		return err
	}
	if err := s.Save(record); err != nil {
		return err
	}
	// The folder of jobs too, which Admit may have made: only now is there a way to the job on the disk.
	if err := cmp.Or(statefile.SyncFolder(s.dir), statefile.SyncFolder(filepath.Dir(s.dir))); err != nil {
		return storage("make job "+string(id), err)
	}
	return nil
}

// Remove forgets a job whose start was refused, or which is old. What makes the folder a job goes first:
// whatever cuts the removal off, a job that is there has all its files.
func (s Store) Remove(id proto.JobID) error {
	if !id.Valid() {
		return ErrNotFound
	}
	folder := filepath.Join(s.dir, string(id))
	err := os.Remove(s.path(id, "job.json"))
	if err == nil {
		err = statefile.SyncFolder(folder)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.RemoveAll(folder)
	}
	if err != nil {
		return storage("remove job "+string(id), err)
	}
	return nil
}

// Spec is what was asked. A folder without job.json, which comes last and goes first, is no job.
func (s Store) Spec(id proto.JobID) (Spec, error) {
	if _, err := s.Changed(id); errors.Is(err, fs.ErrNotExist) {
		return Spec{}, ErrNotFound
	}
	var spec Spec
	return spec, s.read(id, "spec.json", specVersion, &spec)
}

// Load is where the job is.
func (s Store) Load(id proto.JobID) (Record, error) {
	var record Record
	return record, s.read(id, "job.json", recordVersion, &record)
}

// Save writes where the job is.
func (s Store) Save(record Record) error {
	return statefile.Write(s.path(record.Job.ID, "job.json"), recordVersion, record, 0o600)
}

// AskCancel leaves the wish that a job ends, and returns the one that counts. Now stays once it was said, with who said it first and when: that is
// compared with the end of a command.
func (s Store) AskCancel(id proto.JobID, cancel Cancel) (Cancel, error) {
	if before, err := s.CancelAsked(id); err == nil && before != nil && before.Now {
		cancel = *before
	}
	return cancel, statefile.Write(s.path(id, "cancel.json"), cancelVersion, cancel, 0o600)
}

// CancelAsked is the wish that a job ends, or nil.
func (s Store) CancelAsked(id proto.JobID) (*Cancel, error) {
	var cancel Cancel
	err := s.read(id, "cancel.json", cancelVersion, &cancel)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return &cancel, err
}

func (s Store) read(id proto.JobID, name string, version int, into any) error {
	if !id.Valid() {
		return ErrNotFound
	}
	err := statefile.Read(s.path(id, name), version, into)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	return err
}

// Changed is when job.json was last written, to see cheaply whether it was.
func (s Store) Changed(id proto.JobID) (fs.FileInfo, error) {
	if !id.Valid() {
		return nil, ErrNotFound
	}
	return os.Stat(s.path(id, "job.json"))
}

// List is all jobs, newest first. One that cannot be read is left out, with the error of the first such.
func (s Store) List() ([]Record, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, storage("list the jobs", err)
	}
	var all []Record
	var first error
	for _, entry := range entries {
		record, err := s.Load(proto.JobID(entry.Name()))
		if err == nil {
			all = append(all, record)
		} else if !errors.Is(err, ErrNotFound) && first == nil {
			first = err
		}
	}
	slices.SortFunc(all, func(a, b Record) int {
		return cmp.Or(b.Job.Created.Compare(a.Job.Created), cmp.Compare(a.Job.ID, b.Job.ID))
	})
	return all, first
}

// lockWait bounds the wait for another process that starts a job at this moment.
const lockWait = 5 * time.Second

func storage(what string, err error) *proto.Error {
	return &proto.Error{
		Code:    proto.CodeStorage,
		Message: proto.Textf("cannot %s: %v", what, err),
		Advice:  proto.Advice{Code: proto.AdviceHostDoctor},
	}
}
