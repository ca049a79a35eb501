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

// Signers reads a file of accepted people's keys. A file that is not there accepts nobody; one that others
// than root can write is refused, as Load does.
func Signers(path string) (signature.Signers, error) { return root.signers(path) }

// TrustedHosts reads the file of hosts whose receipts count here, as Signers does. It takes one plain line for each
// host, and refuses all else that allowed_signers may hold (signature.ParseHosts).
func TrustedHosts(path string) (signature.Signers, error) { return root.trustedHosts(path) }

func (t trust) signers(path string) (signature.Signers, error) {
	data, err := t.readSigners(path)
	if err != nil {
		return nil, err
	}
	all, err := signature.ParseSigners(data)
	if err != nil {
		return nil, refuseSigners(path, fmt.Errorf("%w: want one line a key, as in allowed_signers of ssh-keygen(1)", err), "rpctl agent diff")
	}
	return all, nil
}

func (t trust) trustedHosts(path string) (signature.Signers, error) {
	data, err := t.readSigners(path)
	if err != nil {
		return nil, err
	}
	hosts, err := signature.ParseHosts(path, data)
	if err != nil {
		return nil, refuseSigners(path, err, "rpctl agent diff")
	}
	return signature.HostSigners(hosts), nil
}

// readSigners is the content of a file of keys that may be believed, and nothing for a file that is not there.
func (t trust) readSigners(path string) ([]byte, error) {
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
	return data, nil
}

func refuseSigners(path string, err error, next string) error {
	return &proto.Error{Code: proto.CodeConfig, Message: fmt.Sprintf("cannot use %s: %v", path, err), Next: next}
}
