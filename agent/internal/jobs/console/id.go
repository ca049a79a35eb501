// Package console is one run of the application's console command on a host: what
// it is to do (spec), where its output goes, and how it ended (end). The runner
// writes the spec, systemd or the embedded engine opens the output and records the
// end, and the application's user runs the command.
package console

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/re-connect/rpctl/agent/internal/statefile"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// ID names one run: a unit's instance and its files. It is never used twice.
type ID string

// NewID is the run with this number of a job. It cannot be guessed without the
// job's id: the folder of specs lets those read who know a name.
func NewID(job proto.JobID, number int) ID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", job, number))
	return ID(hex.EncodeToString(sum[:16]))
}

// NewRealID is the run that changes data by a step of a job. Its id follows from job and step alone, so a
// second start of the step is refused, whichever process asks for it.
func NewRealID(job proto.JobID, step plan.StepID) ID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/real/%s", job, step))
	return ID(hex.EncodeToString(sum[:16]))
}

// dryPrefix begins the id of a dry run. NewID gives hexadecimal digits, so none of its ids begins so.
const dryPrefix = "dryrun"

// NewDryID is NewID for a dry run, which systemd starts from a template with a time limit.
func NewDryID(job proto.JobID, number int) ID { return dryPrefix + NewID(job, number) }

// Dry says that the id is a dry run's. An id of an agent before NewDryID may be of either kind.
func (id ID) Dry() bool { return strings.HasPrefix(string(id), dryPrefix) }

// Valid says whether the id may be a unit's and a file's name.
func (id ID) Valid() bool { return proto.JobID(id).Valid() }

// Folders are what runner, service manager and command hand to each other: see
// systemd.Folders for who owns what.
type Folders struct {
	Specs, Output, Ends string
}

// FoldersIn is the layout of a real host below base.
func FoldersIn(base string) Folders {
	return Folders{Specs: filepath.Join(base, "specs"), Output: filepath.Join(base, "output"), Ends: filepath.Join(base, "ends")}
}

// Base is where the folders are on a real host.
const Base = "/var/lib/rp-agent-console"

// Stdout and Stderr are the files of a run's output.
func (f Folders) Stdout(id ID) string { return filepath.Join(f.Output, string(id)+".out") }

// Stderr is the file of what a run said on its standard error.
func (f Folders) Stderr(id ID) string { return filepath.Join(f.Output, string(id)+".err") }

// Used says that a run of this id was started once: its output or its end is there. What it says is
// of that run, and must not be taken for another's.
func (f Folders) Used(id ID) (bool, error) {
	for _, path := range []string{f.Stdout(id), f.Stderr(id), filepath.Join(f.Ends, endName(id))} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return err == nil, err
		}
	}
	return false, nil
}

// Settle brings a run's output to the disk and says how long its streams are, in bytes. After an error, which is
// a *proto.Error of CodeStorage, the lengths are those that can be seen.
func (f Folders) Settle(id ID) (stdout, stderr int64, err error) {
	stdout, outErr := settle(f.Stdout(id))
	stderr, errErr := settle(f.Stderr(id))
	if err := cmp.Or(outErr, errErr, statefile.SyncFolder(f.Output)); err != nil {
		return stdout, stderr, &proto.Error{Code: proto.CodeStorage, Message: proto.Textf("cannot bring the output to the disk: %v", err), Advice: proto.Advice{Code: proto.AdviceHostDoctor}}
	}
	return stdout, stderr, nil
}

// settle is for one file; a command that was never started has none.
func settle(path string) (int64, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	failed := file.Sync()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), failed
}

func (f Folders) spec(id ID) string { return filepath.Join(f.Specs, string(id)+".json") }
