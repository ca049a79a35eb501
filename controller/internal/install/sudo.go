package install

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/secret"
)

// sudo(8) without and with a password. -k: a remembered password would leave the line for the command to read.
const (
	sudoAlone    = "sudo -n "
	sudoPassword = "sudo -k -S -p : "
)

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
	v.become = sudoAlone
	if _, err = v.host.Run(ctx, sudoAlone+"true", nil); err == nil {
		return nil
	}
	var lost *exit.Error
	if v.host.Password == nil || ctx.Err() != nil || errors.As(err, &lost) { // nobody is asked for what cannot be sent
		return v.notRoot(ctx, err, "sudo asks for a password, and there is nobody to ask: use a terminal, or --login with a user who may use sudo without a password")
	}
	if v.secret, err = v.host.Password(ctx); err != nil {
		return v.notRoot(ctx, err, "there is no password for sudo: "+err.Error())
	}
	v.become = sudoPassword
	if _, err := v.asRoot(ctx, "true", nil); err != nil {
		return v.notRoot(ctx, err, "sudo refused; try the password again, or --login with another user")
	}
	return nil
}

// notRoot is why nobody became root: a connection that was lost is no refusal of sudo's.
func (v *Visit) notRoot(ctx context.Context, err error, why string) error {
	var lost *exit.Error
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.As(err, &lost) {
		return v.fail("cannot become root", err)
	}
	return &exit.Error{Code: exit.Refused, Host: v.host.Name, Err: err, Message: "cannot become root: " + why, Next: "ssh -t " + v.host.Name + " sudo -v"}
}

// withoutPassword looks whether sudo asks for no password for this very program, as a line of sudoers(5) may say: the
// password would then be left for the program to read, and for sudo's log of its input.
func (v *Visit) withoutPassword(ctx context.Context) {
	if v.secret == nil {
		return
	}
	if _, err := v.host.Run(ctx, "sudo -k -n "+v.staged+" version", nil); err == nil {
		v.become = sudoAlone
		v.forget()
	}
}

// asRoot runs a command as root. What it reads is the password first where sudo wants one, so that it is in no argv.
func (v *Visit) asRoot(ctx context.Context, command string, data []byte) ([]byte, error) {
	var input io.Reader = bytes.NewReader(data)
	if v.secret != nil {
		input = io.MultiReader(bytes.NewReader(v.secret), strings.NewReader("\n"), input)
	}
	out, err := v.host.Run(ctx, v.become+command, input)
	if err != nil && v.hide(err.Error()) != err.Error() {
		err = errors.New(v.hide(err.Error()))
	}
	return out, err
}

// hide leaves the password out of a host's words: an error is pasted into a ticket, whatever the host did.
func (v *Visit) hide(text string) string {
	if len(v.secret) == 0 {
		return text
	}
	return strings.ReplaceAll(text, string(v.secret), secret.Hidden)
}

// forget wipes the password out of memory: it is needed no more.
func (v *Visit) forget() {
	clear(v.secret)
	v.secret = nil
}
