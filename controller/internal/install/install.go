// Package install puts rp-agent on hosts: it carries the binary to a host over
// an admin login and lets that binary compare and change the host as root
// (`rp-agent setup`). What has to change is worked out on the host, in one place.
package install

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/upload"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// Host is an admin's connection to one host.
type Host struct {
	Name string // alias
	upload.Host
	// Password asks for the password of sudo; nil where nobody can be asked.
	Password func(ctx context.Context) ([]byte, error)
}

// Visit is a host with the binary on it, ready to be compared and changed.
type Visit struct {
	host    Host
	dir     string // holds the binary, relative to the login's home
	become  string // how a command becomes root: "", "sudo -n " or "sudo -k -S -p : "
	secret  []byte // sudo's password while the visit lasts; Close wipes it
	Via     string // how the binary went there: sftp or exec
	Sent    int    // its size in bytes
	removed bool
}

// Begin looks at the host and uploads the binary for it. Close must be called.
func Begin(ctx context.Context, host Host, binaries Binaries) (*Visit, error) {
	v := &Visit{host: host, dir: ".rpctl-" + strings.ToLower(rand.Text())}
	machine, err := v.line(ctx, "uname -m")
	if err != nil {
		return nil, v.fail("cannot look at the host", err)
	}
	binary, err := binaries.For(machine)
	if err != nil {
		return nil, err
	}
	if err := v.becomeRoot(ctx); err != nil {
		v.forget()
		return nil, err
	}
	if _, err := host.Run(ctx, "mkdir -m 700 "+v.dir, nil); err != nil {
		v.forget()
		return nil, v.fail("cannot make a folder for the upload", err)
	}
	v.Sent = len(binary)
	if v.Via, err = upload.To(ctx, host, v.program(), binary); err != nil {
		return nil, errors.Join(v.fail("cannot bring rp-agent there", err), v.Close())
	}
	v.withoutPassword(ctx)
	return v, nil
}

func (v *Visit) program() string { return v.dir + "/rp-agent" }

// line runs a command that answers with one line.
func (v *Visit) line(ctx context.Context, command string) (string, error) {
	out, err := v.host.Run(ctx, command, nil)
	return strings.TrimSpace(string(out)), err
}

// Compare says what would change for the host to be as spec says. It changes nothing.
func (v *Visit) Compare(ctx context.Context, spec proto.SetupSpec) (proto.SetupReport, error) {
	return v.setup(ctx, " --dry-run", &spec)
}

// Apply makes the host as spec says. The report is what was done.
func (v *Visit) Apply(ctx context.Context, spec proto.SetupSpec) (proto.SetupReport, error) {
	return v.setup(ctx, "", &spec)
}

// Uninstall takes the agent away; state and audit stay. A dry run only says what would go.
func (v *Visit) Uninstall(ctx context.Context, dryRun bool) (proto.SetupReport, error) {
	if dryRun {
		return v.setup(ctx, " --uninstall --dry-run", nil)
	}
	return v.setup(ctx, " --uninstall", nil)
}

func (v *Visit) setup(ctx context.Context, flags string, spec *proto.SetupSpec) (proto.SetupReport, error) {
	var input []byte
	if spec != nil {
		var err error
		if input, err = json.Marshal(spec); err != nil {
			return proto.SetupReport{}, err
		}
	}
	out, err := v.asRoot(ctx, "./"+v.program()+" setup --json"+flags, input)
	var report proto.SetupReport
	if json.Unmarshal(out, &report) != nil {
		if err == nil {
			err = fmt.Errorf("it answered %s", printable.Excerpt(v.hide(string(out)), 200))
		}
		return report, v.fail("cannot set up the host", err)
	}
	if report.Error != nil {
		said := *report.Error
		said.Message, said.Next = v.host.Name+": "+printable.Line(said.Message), printable.Line(said.Next)
		return report, &said
	}
	return report, err
}

// Close removes what the visit brought, and forgets the password. It works after ctx of the visit has ended.
func (v *Visit) Close() error {
	if v.removed {
		return nil
	}
	v.removed = true
	v.forget()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := v.host.Run(ctx, "rm -rf "+v.dir, nil)
	if err != nil {
		return v.fail("cannot remove "+v.dir, err)
	}
	return nil
}

func (v *Visit) fail(what string, err error) error {
	var known *exit.Error
	if errors.As(err, &known) {
		named := *known
		named.Host = cmp.Or(named.Host, v.host.Name)
		if named.Code == exit.Unreachable {
			named.Next = cmp.Or(named.Next, "ssh -v "+v.host.Name)
		}
		return &named
	}
	return &exit.Error{Code: exit.HostFailed, Host: v.host.Name, Message: fmt.Sprintf("%s: %v", what, err), Err: err}
}
