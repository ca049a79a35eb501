package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/re-connect/rpctl/agent/internal/receiptkey"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

const (
	stateDir   = "/var/lib/rp-agent"
	receiptKey = "receipt_key"
)

// receiptKey plans the host's key where there is none. A key that is there is never
// touched: receipts were signed with it.
func (p *Plan) receiptKey(ctx context.Context) error {
	there, err := p.inState(receiptKey)
	if err != nil {
		return err
	}
	if there {
		return p.receiptKeyLeftover()
	}
	p.actions = append(p.actions, action{
		SetupChange: proto.SetupChange{Action: "create", Target: stateDir + "/" + receiptKey, Detail: "ed25519, of this host alone"},
		do:          p.makeReceiptKey,
	})
	return nil
}

// receiptKeyLeftover plans to remove the second name of the key that a setup left which was cut off before it
// could: nothing refers to it.
func (p *Plan) receiptKeyLeftover() error {
	left, err := p.inState(stagedName(receiptKey))
	if err != nil || !left {
		return err
	}
	p.actions = append(p.actions, action{
		SetupChange: proto.SetupChange{Action: "remove", Target: stateDir + "/" + stagedName(receiptKey), Detail: "a setup that was cut off left it"},
		do: func(context.Context) error {
			folder, err := os.OpenRoot(p.host.path(stateDir))
			if err != nil {
				return err
			}
			return errors.Join(folder.Remove(stagedName(receiptKey)), folder.Close())
		},
	})
	return nil
}

// inState says whether a file of the state folder is there.
func (p *Plan) inState(name string) (bool, error) {
	folder, err := os.OpenRoot(p.host.path(stateDir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer folder.Close()
	_, err = folder.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// ReceiptKey is the name and the key that receipts of this host are signed with, from the private key itself.
func (h *Host) ReceiptKey(ctx context.Context) (proto.ReceiptKey, error) {
	if h.Root == "/" && h.UID != 0 {
		return proto.ReceiptKey{}, &proto.Error{Code: proto.CodeForbidden, Message: "cannot read the receipt key: only root may", Advice: proto.Advice{Code: proto.AdviceReceiptKey}}
	}
	key, err := h.readReceiptKey(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return proto.ReceiptKey{}, &proto.Error{Code: proto.CodeHost, Message: "this host has no receipt key: rp-agent is not set up", Advice: proto.Advice{Code: proto.AdviceInstall}}
	}
	if err != nil {
		return proto.ReceiptKey{}, hostError("cannot read the receipt key", err)
	}
	name, err := os.Hostname()
	return proto.ReceiptKey{Host: name, PublicKey: key.Public()}, err
}

func (h *Host) readReceiptKey(ctx context.Context) (receiptkey.Key, error) {
	owner, err := h.account(ctx, systemd.User)
	if err != nil {
		return receiptkey.Key{}, err
	}
	if owner == nil {
		return receiptkey.Key{}, fs.ErrNotExist
	}
	folder, err := openOwned(h.path(stateDir), *owner)
	if err != nil {
		return receiptkey.Key{}, err
	}
	defer folder.Close()
	private, err := folder.read(receiptKey, maxPublicKey)
	if err != nil {
		return receiptkey.Key{}, err
	}
	defer clear(private)
	return receiptkey.Parse(private)
}

// makeReceiptKey writes the public half first: where the key is, its public half is too.
func (p *Plan) makeReceiptKey(ctx context.Context) error {
	owner, err := p.host.account(ctx, systemd.User)
	if err != nil || owner == nil {
		return fmt.Errorf("cannot look up %s: %v", systemd.User, err)
	}
	folder, err := openOwned(p.host.path(stateDir), *owner)
	if err != nil {
		return err
	}
	defer folder.Close()
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	private, public, err := receiptkey.Generate(systemd.User + "@" + name)
	if err != nil {
		return err
	}
	if err := folder.replace(receiptKey+".pub", public, 0o644); err != nil {
		return err
	}
	return folder.create(receiptKey, private, 0o600)
}
