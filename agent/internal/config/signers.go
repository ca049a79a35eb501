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
func Signers(path string) (signature.Signers, error) {
	all, _, err := root.signers(path, people)
	return all, err
}

// TrustedHosts reads the file of hosts whose receipts count here, as Signers does. It takes one plain line for each
// host, and refuses all else that allowed_signers may hold (signature.ParseHosts).
func TrustedHosts(path string) (signature.Signers, error) {
	all, _, err := root.signers(path, hosts)
	return all, err
}

// SignersDigest is the digest of what Signers accepts by the file, and empty where it refuses the file.
func SignersDigest(path string) string {
	_, digest, _ := root.signers(path, people) // who asks the gates gets the reason
	return digest
}

// TrustedHostsDigest is the same for TrustedHosts.
func TrustedHostsDigest(path string) string {
	_, digest, _ := root.signers(path, hosts)
	return digest
}

func people(_ string, data []byte) (signature.Signers, error) {
	all, err := signature.ParseSigners(data)
	if err != nil {
		return nil, fmt.Errorf("%w: want one line a key, as in allowed_signers of ssh-keygen(1)", err)
	}
	return all, nil
}

func hosts(path string, data []byte) (signature.Signers, error) {
	all, err := signature.ParseHosts(path, data)
	return signature.HostSigners(all), err
}

// signers reads a file of keys, and its digest where it may be used.
func (t trust) signers(path string, parse func(path string, data []byte) (signature.Signers, error)) (signature.Signers, string, error) {
	data, err := t.readSigners(path)
	if err != nil {
		return nil, "", err
	}
	all, err := parse(path, data)
	if err != nil {
		return nil, "", refuseSigners(path, err, proto.Advice{Code: proto.AdviceDiff})
	}
	return all, signature.Digest(data), nil
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

func refuseSigners(path string, err error, next proto.Advice) error {
	return &proto.Error{Code: proto.CodeConfig, Message: proto.Textf("cannot use %s: %v", path, err), Advice: next}
}
