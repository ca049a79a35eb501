package config

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// The files of keys that this host accepts: OpenSSH's allowed_signers, root's word like agent.toml.
const (
	ApproversPath    = "/etc/rp-agent/approvers"
	TrustedHostsPath = "/etc/rp-agent/trusted_hosts"
)

// Signers reads a file of accepted keys. A file that is not there accepts nobody; one that others
// than root can write is refused, as Load does.
func Signers(path string) (signature.Signers, error) { return root.signers(path) }

func (t trust) signers(path string) (signature.Signers, error) {
	data, err := t.read(path)
	var doubt *doubtError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.As(err, &doubt):
		return nil, refuseSigners(path, errors.New("may not be believed: "+doubt.why), doubt.fix)
	case err != nil:
		return nil, refuseSigners(path, err, install)
	}
	all, err := signature.ParseSigners(data)
	if err != nil {
		return nil, refuseSigners(path, fmt.Errorf("%w: want one line a key, as in allowed_signers of ssh-keygen(1)", err), "rpctl agent diff")
	}
	return all, nil
}

func refuseSigners(path string, err error, next string) error {
	return &proto.Error{Code: proto.CodeConfig, Message: fmt.Sprintf("cannot use %s: %v", path, err), Next: next}
}
