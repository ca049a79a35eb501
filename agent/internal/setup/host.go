// Package setup puts the agent on a host as root, or takes it away. It looks
// first, then says what is not as it shall be, then changes exactly that; twice in a
// row changes nothing. New files are written beside the old ones before the first
// of them is put in place, the binary last, and a failure puts back what was there.
//
// Root never follows a path into a folder that another user owns: see ownedFolder.
package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/version"
	"github.com/re-connect/rpctl/proto"
)

// Commands runs the host's own tools. Run returns what the command printed on its
// standard output; an error of a command that ran is an *ExitError.
type Commands interface {
	Run(ctx context.Context, name string, args ...string) (string, error)
}

// ExitError says that a command failed, with what it said.
type ExitError struct {
	Command string
	Code    int
	Said    string
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("`%s` ended with status %d: %s", e.Command, e.Code, printable.Excerpt(e.Said, 400))
}

// Host is where setup works.
type Host struct {
	// Root is / but in tests.
	Root     string
	Commands Commands
	// Agent opens the binary that is to be installed: the one that runs now.
	Agent func() (io.ReadCloser, error)
	// Version is that binary's.
	Version string
	// UID is who runs it; 0 is needed where Root is /.
	UID int
}

// ThisHost is the machine that this process runs on.
func ThisHost() *Host {
	return &Host{
		Root:     "/",
		Commands: tools{},
		// The running image, whatever happened to its path since.
		Agent:   func() (io.ReadCloser, error) { return os.Open("/proc/self/exe") },
		Version: version.String(),
		UID:     os.Geteuid(),
	}
}

// requireRoot refuses to look at half of the truth: rules.d and the state are root's to see.
func (h *Host) requireRoot(verb string) error {
	if h.Root != "/" || h.UID == 0 {
		return nil
	}
	return &proto.Error{
		Code:    proto.CodeForbidden,
		Message: proto.Textf("cannot %s: only root may, and may see what is there", verb),
		Advice:  proto.Advice{Code: proto.AdviceSetup},
	}
}

func (h *Host) path(name string) string { return filepath.Join(h.Root, name) }

// account is a line of passwd(5).
type account struct {
	uid, gid int
	home     string
}

// account asks the name service (getent(1)), so that users of a directory count too. It is nil where there is none.
func (h *Host) account(ctx context.Context, name string) (*account, error) {
	fields, err := h.getent(ctx, "passwd", name, 7)
	if fields == nil || err != nil {
		return nil, err
	}
	uid, uidErr := strconv.Atoi(fields[2])
	gid, gidErr := strconv.Atoi(fields[3])
	if uidErr != nil || gidErr != nil {
		return nil, fmt.Errorf("cannot read the user %s: getent answers numbers that are none", name)
	}
	return &account{uid, gid, fields[5]}, nil
}

// group is a line of group(5).
type group struct {
	gid     int
	members []string
}

// group is nil where there is no such group.
func (h *Host) group(ctx context.Context, name string) (*group, error) {
	fields, err := h.getent(ctx, "group", name, 4)
	if fields == nil || err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(fields[2])
	if err != nil {
		return nil, fmt.Errorf("cannot read the group %s: getent answers a number that is none", name)
	}
	return &group{gid, strings.FieldsFunc(fields[3], func(r rune) bool { return r == ',' })}, nil
}

// getent returns the fields of an entry, or nil where there is none (status 2).
func (h *Host) getent(ctx context.Context, database, name string, want int) ([]string, error) {
	out, err := h.Commands.Run(ctx, "getent", database, name)
	var failed *ExitError
	if errors.As(err, &failed) && failed.Code == 2 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look up %s in %s: %w", name, database, err)
	}
	fields := strings.Split(strings.TrimSuffix(out, "\n"), ":")
	if len(fields) != want || fields[0] != name {
		return nil, fmt.Errorf("cannot look up %s in %s: getent answers another entry", name, database)
	}
	return fields, nil
}

// tools runs the commands of this machine.
type tools struct{}

// toolFolders are where root's tools are: root's own PATH may lack sbin, or have more than it should.
var toolFolders = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// find is the tool's path, or its name where there is none, for the error to say.
func find(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	for _, folder := range toolFolders {
		if full := filepath.Join(folder, name); executable(full) {
			return full
		}
	}
	return filepath.Join(toolFolders[0], name)
}

func executable(full string) bool {
	info, err := os.Stat(full)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// commandTime bounds a command: a daemon-reload of a busy host takes seconds.
const commandTime = time.Minute

func (tools) Run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, find(name), args...)
	cmd.Env = []string{"PATH=" + strings.Join(toolFolders, ":"), "LC_ALL=C", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0"}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var exited *exec.ExitError
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("`%s` did not end: %w", strings.Join(cmd.Args, " "), ctx.Err())
	case errors.As(err, &exited):
		return out.String(), &ExitError{strings.Join(cmd.Args, " "), exited.ExitCode(), strings.TrimSpace(said.String())}
	default:
		return "", fmt.Errorf("cannot run `%s`: %w", name, err)
	}
}
