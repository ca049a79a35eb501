package setup

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// maxPublicKey is more than an RSA key of 16384 bits takes, in bytes.
const maxPublicKey = 8 << 10

// maxSpec is the longest spec that is read, in bytes.
const maxSpec = 1 << 20

// ReadSpec reads and checks what a host shall be. Every error is a *proto.Error of
// code bad_request, and nothing of a spec that is refused is used.
func ReadSpec(r io.Reader) (proto.SetupSpec, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSpec+1))
	if err != nil {
		return proto.SetupSpec{}, badSpec(err)
	}
	if len(data) > maxSpec {
		return proto.SetupSpec{}, badSpec(fmt.Errorf("it is longer than %d bytes", maxSpec))
	}
	var spec proto.SetupSpec
	if err := proto.DecodeStrict(data, &spec); err != nil {
		return proto.SetupSpec{}, badSpec(err)
	}
	if err := checkSpec(spec); err != nil {
		return proto.SetupSpec{}, badSpec(err)
	}
	return spec, nil
}

func badSpec(err error) error {
	return &proto.Error{
		Code:    proto.CodeBadRequest,
		Message: proto.HostText("cannot use what standard input says that this host shall be: " + oneLine(err)),
		Advice:  proto.Advice{Code: proto.AdviceInstall},
	}
}

func checkSpec(spec proto.SetupSpec) error {
	problems := []error{systemd.Check(spec.Config)}
	for _, operator := range operators(spec) {
		if operator == systemd.User {
			problems = append(problems, fmt.Errorf("%s cannot be an operator: nobody logs in as it", operator))
		}
		problems = append(problems, proto.CheckAccount(operator))
	}
	if console := spec.Config.Console; console != nil && console.After != "" && applicationOperates(spec) {
		problems = append(problems, fmt.Errorf("the application's user %s cannot be an operator where %s comes first: PHP runs as that user; name logins of people",
			spec.Config.Application.User, console.After))
	}
	if spec.ForcedKey != nil {
		problems = append(problems, proto.CheckAccount(spec.ForcedKey.User))
		problems = append(problems, checkPublicKey(spec.ForcedKey.PublicKey))
	}
	if spec.Signers != nil {
		if _, err := signature.ParseSigners([]byte(spec.Signers.Approvers)); err != nil {
			problems = append(problems, fmt.Errorf("approvers: %w", err))
		}
		_, err := signature.ParseHosts("trusted_hosts", []byte(spec.Signers.TrustedHosts))
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// applicationOperates says that the application's user would be in group rpctl.
func applicationOperates(spec proto.SetupSpec) bool {
	user := spec.Config.Application.User
	return slices.Contains(spec.Operators, user) || spec.ForcedKey != nil && spec.ForcedKey.User == user
}

// operators is who shall be in group rpctl: sorted, without duplicates. Who logs in with a
// forced-command key connects to the socket too.
func operators(spec proto.SetupSpec) []string {
	all := slices.Clone(spec.Operators)
	if spec.ForcedKey != nil && len(all) > 0 {
		all = append(all, spec.ForcedKey.User)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// publicKeyForm is one line of sshd(8)'s AUTHORIZED_KEYS without options: what an
// attacker could put before or after the key would be believed by sshd.
var publicKeyForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com) ([A-Za-z0-9+/]+={0,2})( [\x20-\x7e]{1,256})?$`)
})

func checkPublicKey(line string) error {
	if len(line) > maxPublicKey {
		return errors.New("bad public key: it is longer than any key")
	}
	parts := publicKeyForm().FindStringSubmatch(line)
	if parts == nil {
		return errors.New("bad public key: want one line like `ssh-ed25519 AAAA… comment`, without options")
	}
	blob, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(blob) < 4 || !strings.HasPrefix(string(blob[4:]), parts[1]) ||
		binary.BigEndian.Uint32(blob) != uint32(len(parts[1])) {
		return fmt.Errorf("bad public key: what follows %s is no such key", parts[1])
	}
	return nil
}
