// Package install puts rp-agent on hosts: it carries the binary to a host over
// an admin login and lets that binary compare and change the host as root
// (`rp-agent setup`). What has to change is worked out on the host, in one place.
package install

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	return v, nil
}

func (v *Visit) program() string { return v.dir + "/rp-agent" }

// line runs a command that answers with one line.
func (v *Visit) line(ctx context.Context, command string) (string, error) {
	out, err := v.host.Run(ctx, command, nil)
	return strings.TrimSpace(string(out)), err
}

// becomeRoot finds out how a command can run as root: as it is, by sudo
// without a password, or with the password of the person at the terminal.
func (v *Visit) becomeRoot(ctx context.Context) error {
	uid, err := v.line(ctx, "id -u")
	if err != nil {
		return v.fail("cannot look at the login", err)
	}
	if uid == "0" {
		return nil
	}
	v.become = "sudo -n "
	_, err = v.host.Run(ctx, "sudo -n true", nil)
	switch {
	case err == nil:
		return nil
	case v.host.Password == nil:
		return &exit.Error{Code: exit.Refused, Host: v.host.Name, Err: err,
			Message: "cannot become root: sudo asks for a password, and there is nobody to ask: use a terminal, or --login with a user who may use sudo without a password",
			Next:    "ssh -t " + v.host.Name + " sudo -v"}
	}
	if v.secret, err = v.host.Password(ctx); err != nil {
		return err
	}
	// -k: a remembered password would leave the line for the command to read.
	v.become = "sudo -k -S -p : "
	if _, err := v.host.Run(ctx, v.become+"true", v.input(nil)); err != nil {
		return &exit.Error{Code: exit.Refused, Host: v.host.Name, Err: err, Message: "cannot become root: sudo refused; try the password again, or --login with another user",
			Next: "ssh -t " + v.host.Name + " sudo -v"}
	}
	return nil
}

// input is what a command reads: the password first where sudo wants one, so that it is in no argv.
func (v *Visit) input(data []byte) io.Reader {
	if v.secret == nil {
		return bytes.NewReader(data)
	}
	return io.MultiReader(bytes.NewReader(v.secret), strings.NewReader("\n"), bytes.NewReader(data))
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
	out, err := v.host.Run(ctx, v.become+"./"+v.program()+" setup --json"+flags, v.input(input))
	var report proto.SetupReport
	if json.Unmarshal(out, &report) != nil {
		if err == nil {
			err = fmt.Errorf("it answered %s", printable.Excerpt(string(out), 200))
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

// forget wipes the password out of memory: it is needed no more.
func (v *Visit) forget() {
	clear(v.secret)
	v.secret = nil
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
		return err
	}
	return &exit.Error{Code: exit.HostFailed, Host: v.host.Name, Message: fmt.Sprintf("%s: %v", what, err), Err: err}
}
