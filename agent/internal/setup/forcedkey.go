package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// ForcedCommand is what sshd runs for the key, whatever the caller asked: see `rp-agent ssh`.
// restrict forbids forwarding, a terminal and what a later OpenSSH adds (sshd(8)).
// The whole path leaves the login's PATH no choice.
const ForcedCommand = `restrict,command="` + systemd.Binary + ` ssh" `

// pathlessCommand is what setups before this one wrote; such a line is replaced.
const pathlessCommand = `restrict,command="rp-agent ssh" `

const maxAuthorizedKeys = 1 << 20

// forcedKey plans the line in the login user's authorized_keys. The user's other lines stay.
func (p *Plan) forcedKey(ctx context.Context, key *proto.ForcedKey) error {
	if key == nil {
		return nil
	}
	user, err := p.host.account(ctx, key.User)
	if err != nil {
		return err
	}
	if user == nil {
		return fmt.Errorf("the user %s of the forced-command key is not on this host", key.User)
	}
	folder, err := p.openSSH(key.User, *user)
	if err != nil {
		return err
	}
	if folder != nil {
		defer folder.Close()
	}
	content, err := authorizedKeys(folder)
	if err != nil {
		return err
	}
	wanted, err := withForcedKey(content, key.PublicKey)
	if err != nil || bytes.Equal(wanted, content) {
		return err
	}
	signers, err := signature.ParseSigners([]byte(key.User + " " + key.PublicKey))
	if err != nil || len(signers) != 1 {
		return fmt.Errorf("cannot read the forced-command key: %v", err)
	}
	p.actions = append(p.actions, action{
		SetupChange: proto.SetupChange{
			Action: "add", Target: "a forced-command key to ~" + key.User + "/.ssh/authorized_keys",
			Differences: p.access("forced-command key of "+key.User, signers[0].Fingerprint()),
		},
		do: func(context.Context) error { return p.writeForcedKey(key.User, *user, key.PublicKey) },
	})
	return nil
}

// openSSH opens ~/.ssh of the user, or returns nil where there is none. A home that is a link, or
// another's, is refused; so is such a .ssh.
func (p *Plan) openSSH(name string, user account) (*ownedFolder, error) {
	home, err := openOwned(p.host.path(user.home), user)
	if err != nil {
		return nil, fmt.Errorf("cannot use the home of %s: %w", name, err)
	}
	defer home.Close()
	info, err := home.Lstat(".ssh")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("~%s/.ssh is no folder", name)
	}
	if err != nil {
		return nil, err
	}
	inner, err := home.OpenRoot(".ssh")
	if err != nil {
		return nil, err
	}
	opened, err := inner.Stat(".")
	if err == nil && uidOf(opened) != user.uid {
		err = fmt.Errorf("~%s/.ssh belongs to uid %d", name, uidOf(opened))
	}
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return &ownedFolder{inner, user}, nil
}

func authorizedKeys(folder *ownedFolder) ([]byte, error) {
	if folder == nil {
		return nil, nil
	}
	content, err := folder.read("authorized_keys", maxAuthorizedKeys)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return content, err
}

// withForcedKey is content with the key's line. A line that gives the same key more than the
// agent is refused: sshd takes the first that fits, and the key would not be what was promised.
func withForcedKey(content []byte, publicKey string) ([]byte, error) {
	blob := strings.Fields(publicKey)[1]
	wanted := ForcedCommand + publicKey
	var kept bytes.Buffer
	pathless, there := false, false
	for line := range bytes.Lines(content) {
		text := strings.TrimSpace(string(line))
		switch {
		case strings.HasPrefix(text, "#") || !strings.Contains(text, blob):
		case strings.HasPrefix(text, ForcedCommand) && !pathless:
			return content, nil
		case strings.HasPrefix(text, ForcedCommand):
			there = true
		case strings.HasPrefix(text, pathlessCommand):
			pathless = true
			continue
		default:
			return nil, errors.New("authorized_keys already lets this key do more than talk to the agent: remove that line, or use another key")
		}
		kept.Write(line)
	}
	if kept.Len() > 0 && !bytes.HasSuffix(kept.Bytes(), []byte("\n")) {
		kept.WriteByte('\n')
	}
	if !there {
		kept.WriteString(wanted + "\n")
	}
	return kept.Bytes(), nil
}

// writeForcedKey looks again, so that a key that came in the meantime is not lost.
func (p *Plan) writeForcedKey(name string, user account, publicKey string) error {
	folder, err := p.openSSH(name, user)
	if err != nil {
		return err
	}
	if folder == nil {
		if err := p.makeSSH(user); err != nil {
			return err
		}
		if folder, err = p.openSSH(name, user); err != nil || folder == nil {
			return fmt.Errorf("cannot open ~%s/.ssh: %v", name, err)
		}
	}
	defer folder.Close()
	content, err := authorizedKeys(folder)
	if err != nil {
		return err
	}
	wanted, err := withForcedKey(content, publicKey)
	if err != nil {
		return err
	}
	return folder.replace("authorized_keys", wanted, 0o600)
}

// makeSSH makes ~/.ssh for its user, by the folder's descriptor.
func (p *Plan) makeSSH(user account) error {
	home, err := openOwned(p.host.path(user.home), user)
	if err != nil {
		return err
	}
	defer home.Close()
	if err := home.Mkdir(".ssh", 0o700); err != nil {
		return err
	}
	folder, err := home.OpenFile(".ssh", os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	return errors.Join(folder.Chown(user.uid, user.gid), folder.Close())
}
