package console

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/agent/internal/statefile"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

const specVersion = 1

// Spec is what a run is to do. It names a step, never a command line: argv is
// built from it and from the host's own agent.toml by whoever runs it.
type Spec struct {
	Step   plan.Step `json:"step"`
	DryRun bool      `json:"dry_run"`
	// Carried is what a real run is judged by; a dry run needs none. Specs of agents before it had a name leave it out.
	Carried *plans.Carried `json:"carried,omitempty"`
}

// maxSpec bounds a spec, in bytes: a plan and its simulation, which are at most a line of the wire each, and the
// receipts, as text in JSON.
const maxSpec = 8 << 20

// WriteSpec puts a spec where the application's user reads it.
func (f Folders) WriteSpec(id ID, spec Spec) error {
	return statefile.Write(f.spec(id), specVersion, spec, 0o644)
}

// ReadSpec reads a spec that only the owner of the folder can have written: the
// folder and the file belong to owner, and nobody else may write them.
func (f Folders) ReadSpec(id ID, owner uint32) (Spec, error) {
	if !id.Valid() {
		return Spec{}, fmt.Errorf("%q is no run's id", string(id))
	}
	// The folder may be passed through and not listed: 0711. No link is followed on the way.
	folder, err := unix.Open(f.Specs, passThrough|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return Spec{}, fmt.Errorf("cannot open %s: %w", f.Specs, err)
	}
	defer func() { _ = unix.Close(folder) }()
	if !owned(folder, owner, unix.S_IFDIR) {
		return Spec{}, fmt.Errorf("%s may not be believed: want a folder of uid %d that nobody else may write", f.Specs, owner)
	}
	// O_NONBLOCK: a pipe that stands there must not make us wait.
	fd, err := unix.Openat(folder, filepath.Base(f.spec(id)), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return Spec{}, fmt.Errorf("cannot open %s: %w", f.spec(id), err)
	}
	file := os.NewFile(uintptr(fd), f.spec(id))
	defer file.Close()
	if !owned(fd, owner, unix.S_IFREG) {
		return Spec{}, fmt.Errorf("%s may not be believed: want a file of uid %d that nobody else may write", f.spec(id), owner)
	}
	return parseSpec(file)
}

func parseSpec(r io.Reader) (Spec, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSpec))
	var spec Spec
	if err == nil {
		err = statefile.Decode(data, specVersion, &spec)
	}
	if err != nil {
		return Spec{}, fmt.Errorf("cannot read the spec: %w", err)
	}
	// The last of three checks of a step: what is refused here never reaches PHP.
	alone := plan.Plan{Version: plan.Version, Ticket: "-", Centre: "-", Groups: []plan.Group{{Steps: []plan.Step{spec.Step}}}}
	for _, finding := range plan.Check(alone) {
		if !finding.Warning {
			return Spec{}, fmt.Errorf("the spec is refused: %s", finding.Message)
		}
	}
	return spec, nil
}

// owned says that what is open is of this type, and that only its owner can have written it.
func owned(fd int, owner uint32, kind uint32) bool {
	var stat unix.Stat_t
	return unix.Fstat(fd, &stat) == nil && stat.Uid == owner && uint32(stat.Mode)&unix.S_IFMT == kind && uint32(stat.Mode)&0o022 == 0
}

// Argv is the command of a run: PHP, the console, and the step's own arguments.
// There is no shell, and no argument comes from anywhere else.
func (s Spec) Argv(rules proto.Console) []string {
	return append([]string{rules.PHP, rules.Script, plan.ConsoleCommand}, s.Step.Args(s.DryRun)...)
}

// Environ is all that the command gets of an environment: who it is, where
// programs are, and that text is UTF-8. The application's own settings are in its files.
func Environ(getenv func(string) string) []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	for _, name := range []string{"HOME", "USER", "LOGNAME"} {
		if value := getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}
