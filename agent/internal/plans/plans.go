// Package plans keeps on the host what is known of each plan: its simulation, its
// approval, that it was applied, and where its steps are. All that is signed is
// verified again whenever it is read: the disk proves nothing by itself.
//
//	plans/DIGEST/plan.json        the plan
//	plans/DIGEST/simulation.json  signed by this host
//	plans/DIGEST/approval.json    signed by one of /etc/rp-agent/approvers
//	plans/DIGEST/revocation.json  signed by one of /etc/rp-agent/approvers when it was handed in
//	plans/DIGEST/applied.json     signed by this host
//	plans/DIGEST/steps.json       where the steps are
//
// A plan that was simulated at most is pruned when it is old; the others are kept for ever.
package plans

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/re-connect/rpctl/agent/internal/statefile"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// version is of every file here.
const version = 1

// Keys are whose signatures count here. The functions are called each time, so that
// a key that was taken out of its file no longer counts.
type Keys struct {
	Own       func() (signature.Signers, error) // this host's, under its name
	Approvers func() (signature.Signers, error)
	Hosts     func() (signature.Signers, error)
}

// Folder is the plans of one host.
type Folder struct {
	dir         string
	Host        string
	Environment string
	Keys        Keys
}

// New is the plans below state, the agent's folder.
func New(state, host, environment string, keys Keys) Folder {
	return Folder{dir: filepath.Join(state, "plans"), Host: host, Environment: environment, Keys: keys}
}

// Steps is where a plan's steps are.
type Steps struct {
	Job   proto.JobID     `json:"job,omitempty"` // that changed them last
	Time  time.Time       `json:"time"`
	Steps []proto.JobStep `json:"steps"`
	// BreakGlass is why closed gates were passed by a job that has changed data, or may have. It stays.
	BreakGlass string `json:"break_glass,omitempty"`
}

// State is the state of each step; a step that is not named is pending.
func (s Steps) State() map[plan.StepID]proto.StepState {
	states := map[plan.StepID]proto.StepState{}
	for _, step := range s.Steps {
		states[step.Step] = step.State
	}
	return states
}

// Begun says that a step has changed data, or may have.
func (s Steps) Begun() bool {
	for _, step := range s.Steps {
		switch step.State {
		case proto.StepPending, proto.StepSimulated, proto.StepChecking, proto.StepStopped:
		default:
			return true
		}
	}
	return false
}

// Keep remembers the plan itself.
func (f Folder) Keep(p plan.Plan) error {
	folder := filepath.Join(f.dir, p.Digest())
	if _, err := os.Stat(filepath.Join(folder, "plan.json")); err == nil {
		return nil
	}
	err := os.MkdirAll(folder, 0o700)
	if err == nil {
		err = cmp.Or(statefile.SyncFolder(f.dir), statefile.SyncFolder(filepath.Dir(f.dir)))
	}
	if err != nil {
		return &proto.Error{Code: proto.CodeStorage, Message: proto.Textf("cannot keep the plan: %v", err), Advice: proto.Advice{Code: proto.AdviceHostDoctor}}
	}
	return f.write(p.Digest(), "plan.json", p)
}

// Steps is where the steps of a plan are; nothing is known of a plan that never ran.
func (f Folder) Steps(digest string) (Steps, error) {
	var steps Steps
	_, err := f.read(digest, "steps.json", &steps)
	return steps, err
}

// SaveSteps writes where the steps are. A reason of a broken glass that stands there is kept, whoever writes.
func (f Folder) SaveSteps(digest string, steps Steps) error {
	if steps.BreakGlass == "" {
		before, err := f.Steps(digest)
		if err != nil {
			return err
		}
		steps.BreakGlass = before.BreakGlass
	}
	return f.write(digest, "steps.json", steps)
}

// SaveSigned keeps a simulation or a receipt of this host, or what Approve or Revoke has judged.
func (f Folder) SaveSigned(digest string, signed proto.Signed) error {
	name := fileOf[signed.Namespace]
	if name == "" {
		return fmt.Errorf("nothing signed for %q is kept here", signed.Namespace)
	}
	return f.write(digest, name, signed)
}

var fileOf = map[string]string{
	proto.NamespaceSimulation: "simulation.json",
	proto.NamespaceApproval:   "approval.json",
	proto.NamespaceApplied:    "applied.json",
	proto.NamespaceRevocation: "revocation.json",
}

func (f Folder) write(digest, name string, content any) error {
	path, err := f.path(digest, name)
	if err != nil {
		return err
	}
	return statefile.Write(path, version, content, 0o600)
}

// read says whether the file is there.
func (f Folder) read(digest, name string, into any) (bool, error) {
	path, err := f.path(digest, name)
	if err != nil {
		return false, err
	}
	err = statefile.Read(path, version, into)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// path refuses what is no digest: it becomes a folder's name.
func (f Folder) path(digest, name string) (string, error) {
	if len(digest) != 64 {
		return "", fmt.Errorf("%.80q is no plan's digest", digest)
	}
	for _, c := range []byte(digest) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", fmt.Errorf("%.80q is no plan's digest", digest)
		}
	}
	return filepath.Join(f.dir, digest, name), nil
}

var errNoPlan = errors.New("the plan is not on this host")

// Plan is a plan that was kept.
func (f Folder) Plan(digest string) (plan.Plan, error) {
	var p plan.Plan
	there, err := f.read(digest, "plan.json", &p)
	switch {
	case err != nil:
		return p, err
	case !there:
		return p, fmt.Errorf("%w: %s", errNoPlan, digest)
	case p.Digest() != digest:
		return p, fmt.Errorf("plan %s was changed on the disk", digest)
	}
	return p, nil
}
