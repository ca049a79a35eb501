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
	"github.com/re-connect/rpctl/controller/internal/hosttext"
	"github.com/re-connect/rpctl/controller/internal/upload"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// Host is an admin's connection to one host.
type Host struct {
	Name string // alias
	upload.Host
	// Login is the user that the connection logged in as.
	Login string
	// Application is the application's user, whose shell and sudo are not trusted with root: such a login is refused.
	Application string
	// Password asks for the password of sudo; nil where nobody can be asked.
	Password func(ctx context.Context) ([]byte, error)
}

// Visit is a host with the binary on it, ready to be compared and changed.
type Visit struct {
	host    Host
	dir     string // takes the upload, relative to the login's home
	staged  string // root's copy of it, whose digest was verified; empty before it is there
	become  string // how a command becomes root: "", "sudo -n " or "sudo -k -S -p : "
	secret  []byte // sudo's password while the visit lasts; Close wipes it
	Binary  Binary // that was sent
	Via     string // how the binary went there: sftp or exec
	removed bool
}

// Begin looks at the host and uploads the binary for it. Close must be called.
func Begin(ctx context.Context, host Host, binaries Binaries) (*Visit, error) {
	v := &Visit{host: host, dir: ".rpctl-" + strings.ToLower(rand.Text())}
	if err := v.requireAdmin(ctx); err != nil {
		return nil, err
	}
	machine, err := v.line(ctx, "uname -m")
	if err != nil {
		return nil, v.fail("cannot look at the host", err)
	}
	if v.Binary, err = binaries.For(machine); err != nil {
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
	if v.Via, err = upload.To(ctx, host, v.uploaded(), v.Binary.Data); err == nil {
		err = v.stage(ctx)
	}
	if err != nil {
		return nil, errors.Join(v.fail("cannot bring rp-agent there", err), v.Close())
	}
	v.withoutPassword(ctx)
	return v, nil
}

// ErrApplicationLogin says that the login is the application's user.
var ErrApplicationLogin = errors.New("the login is the application's user")

// requireAdmin refuses to become root from the application's own login: PHP runs as that user, and what it writes into
// the login's start-up files would read the password or stand in for sudo. The host's answer is that user's to forge,
// so the user of the connection counts, too.
func (v *Visit) requireAdmin(ctx context.Context) error {
	if v.host.Application == "" {
		return nil
	}
	refused := func(login string) error {
		return &exit.Error{Code: exit.Refused, Host: v.host.Name, Err: ErrApplicationLogin,
			Message: fmt.Sprintf("cannot use the login %s: it is the application's user, and PHP could take root with it; --login names an admin's", login)}
	}
	if v.host.Login == v.host.Application || v.host.Login == "" { // an unknown one may be
		return refused(cmp.Or(v.host.Login, "of this connection"))
	}
	name, err := v.line(ctx, "id -un")
	if err != nil {
		return v.fail("cannot look at the login", err)
	}
	if name == v.host.Application {
		return refused(name)
	}
	return nil
}

func (v *Visit) uploaded() string { return v.dir + "/rp-agent" }

// stage copies the upload to where only root can write, and verifies the copy: between the upload's own check and the
// start as root, another process of the login's user could have put another program in its place.
func (v *Visit) stage(ctx context.Context) error {
	v.staged = stagedBeside + strings.ToLower(rand.Text())
	if _, err := v.asRoot(ctx, "install -o root -g root -m 0700 -- "+v.uploaded()+" "+v.staged, nil); err != nil {
		return fmt.Errorf("cannot copy it for root: %w", err)
	}
	out, err := v.asRoot(ctx, "sha256sum -- "+v.staged, nil)
	if err != nil {
		return fmt.Errorf("cannot verify root's copy: %w", err)
	}
	if sum, _, _ := strings.Cut(strings.TrimSpace(string(out)), " "); sum != v.Binary.SHA256 {
		return fmt.Errorf("root's copy is not what was sent: its SHA-256 is %s, not %s", printable.Excerpt(v.hide(sum), 64), v.Binary.SHA256)
	}
	return nil
}

// stagedBeside begins the name of root's copy. It is beside the agent itself: root's alone, and not mounted noexec.
const stagedBeside = proto.AgentPath + ".rpctl-"

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
	var report proto.SetupReport
	err := v.ask(ctx, "setup --json"+flags, input, &report, func() *proto.Error { return report.Error }, "cannot set up the host")
	return report, err
}

// ReceiptKey is the name and the public key that the host's receipts are signed with, read as root by the binary that
// the visit brought: no shell of another user, and no program of the host, has a part in it but sudo.
func (v *Visit) ReceiptKey(ctx context.Context) (proto.ReceiptKey, error) {
	var key proto.ReceiptKey
	err := v.ask(ctx, "receipt-key", nil, &key, func() *proto.Error { return key.Error }, "cannot read the receipt key")
	return key, err
}

// ask runs a verb of the binary as root, whose answer is one JSON object with an error of its own where it failed.
func (v *Visit) ask(ctx context.Context, verb string, input []byte, answer any, failed func() *proto.Error, what string) error {
	out, err := v.asRoot(ctx, v.staged+" "+verb, input)
	if hosttext.Decode(out, answer) != nil {
		if err == nil {
			err = fmt.Errorf("it answered %s", printable.Excerpt(v.hide(string(out)), 200))
		}
		return v.fail(what, err)
	}
	if failed() != nil {
		return exit.Place{Host: v.host.Name}.Refusal(failed())
	}
	return err
}

// Close removes what the visit brought, and forgets the password. It works after ctx of the visit has ended.
func (v *Visit) Close() error {
	if v.removed {
		return nil
	}
	v.removed = true
	defer v.forget()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var failed []error
	if v.staged != "" {
		if _, err := v.asRoot(ctx, "rm -f -- "+v.staged, nil); err != nil {
			failed = append(failed, v.fail("cannot remove "+v.staged, err))
		}
	}
	if _, err := v.host.Run(ctx, "rm -rf "+v.dir, nil); err != nil {
		failed = append(failed, v.fail("cannot remove "+v.dir, err))
	}
	return errors.Join(failed...)
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
