package connect

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// failure is why one hop could not be reached; located makes it the alias's failure.
type failure struct {
	message string
	next    string
	err     error
	through []string // jumps, outermost first, that the failing hop stands for

	// sshMayLogIn reports that the host refused the keys that this package could offer, and that the ssh program
	// has more: a key file that only it reads, a certificate, a password.
	sshMayLogIn bool
}

func (f *failure) Error() string {
	if len(f.through) == 0 {
		return f.message
	}
	return "jump host " + strings.Join(f.through, ", ") + ": " + f.message
}

func (f *failure) Unwrap() error { return f.err }

// located is err as the failure of an alias, for the person who typed it.
func located(ctx context.Context, alias string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return &exit.Error{Code: exit.Interrupted, Host: alias, Message: "interrupted while connecting", Err: ctx.Err()}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &exit.Error{Code: exit.Unreachable, Host: alias, Message: "not connected in the time that there was", Next: "ssh " + alias, Err: ctx.Err()}
	}
	var known *failure
	if !errors.As(err, &known) {
		known = &failure{message: err.Error(), next: "ssh " + alias, err: err}
	}
	return &exit.Error{Code: exit.Unreachable, Host: alias, Message: known.Error(), Next: known.next, Err: err}
}

// ssh is the command line that does by hand what this package does for a hop.
func (d *Dialer) ssh(target hop, options ...string) string {
	words := append([]string{"ssh"}, options...)
	if d.options.SSHConfig != "" {
		words = append(words, "-F", exit.Word(d.options.SSHConfig))
	}
	if target.port != 0 {
		words = append(words, "-p", strconv.Itoa(target.port))
	}
	name := target.host
	if target.user != "" {
		name = target.user + "@" + name
	}
	return strings.Join(append(words, name), " ")
}
