package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/install"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/internal/signature"
)

// preparePin refuses, before any host is reached, what could not end in a key that may be pinned.
func (i *installation) preparePin(environment inventory.Environment) error {
	i.pinned = environment.TrustedHosts
	if environment.Console == nil {
		return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("%s signs no receipts: hosts.toml has no [environments.%s.console]", environment.Name, environment.Name),
			Next: "rpctl status --env " + environment.Name}
	}
	_, err := i.pinned.Keys()
	return err
}

// pin reads the receipt key as root, shows it beside the one that is pinned, and writes it once that was agreed.
func (i *installation) pin(ctx context.Context, v *install.Visit, host string) error {
	read, err := v.ReceiptKey(ctx)
	if err != nil {
		return err
	}
	key, err := signature.NewHostKey(read.Host, read.PublicKey, i.env)
	if err != nil {
		return &exit.Error{Code: exit.HostFailed, Host: host, Err: err, Message: "sent a receipt key that cannot be pinned: " + safe(err.Error()),
			Next: "rpctl doctor --env " + i.env}
	}
	pin := event.Pinned{Path: i.pinned.Path(), Name: key.Host, Key: key.Fingerprint()}
	before, err := i.pinned.Key(i.env)
	if err == nil {
		pin.BeforeName, pin.Before = before.Host, before.Fingerprint()
	}
	pin.Changes = err != nil || before.Line() != key.Line()
	i.showPin(host, pin)
	if !pin.Changes {
		return nil
	}
	if agreed, err := i.agreedPin(ctx, host, pin); err != nil || !agreed {
		return err
	}
	if err := i.pinned.Pin(key); err != nil {
		return err
	}
	pin.Written = true
	i.showPin(host, pin)
	return nil
}

// agreedPin asks whether the key shall be pinned; false in a dry run.
func (i *installation) agreedPin(ctx context.Context, host string, pin event.Pinned) (bool, error) {
	switch {
	case i.dryRun:
		return false, nil
	case i.yes:
		return true, nil
	case !i.app.Asks:
		return false, &exit.Error{Code: exit.Refused, Host: host, Message: "cannot ask whether to pin the key: there is no terminal; nothing was changed",
			Next: i.app.confirmed()}
	}
	answer, err := i.app.confirm(ctx, fmt.Sprintf("pin the key %s for %s? type yes: ", pin.Key, i.env))
	if err == nil && strings.TrimSpace(answer) != "yes" {
		err = &exit.Error{Code: exit.Refused, Host: host, Message: "not confirmed; nothing was changed"}
	}
	return err == nil, err
}

func (i *installation) showPin(host string, pin event.Pinned) {
	if i.app.flags.json {
		i.app.emit(event.Event{Kind: event.Pin, Environment: i.env, Host: host, Pin: &pin})
		return
	}
	i.app.print(pinText(host, pin, i.env))
}

func pinText(host string, pin event.Pinned, env string) string {
	path := safe(pin.Path)
	if pin.Written {
		return fmt.Sprintf("%s  pinned in %s\n  next: git add %s\n", safe(host), path, exit.Word(pin.Path))
	}
	if !pin.Changes {
		return fmt.Sprintf("%s  nothing to change: %s has %s %s for %s\n", safe(host), path, pin.Name, pin.Key, env)
	}
	old := "none"
	if pin.Before != "" {
		old = pin.BeforeName + " " + pin.Before
	}
	return fmt.Sprintf("%s  receipt key of %s in %s\n  pinned:      %s\n  on the host: %s %s\n  it can be compared there: sudo ssh-keygen -lf /var/lib/rp-agent/receipt_key\n",
		safe(host), env, path, old, pin.Name, pin.Key)
}
