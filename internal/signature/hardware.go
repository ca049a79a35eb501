package signature

import (
	"slices"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/proto"
)

// RequireHardware returns the same lines, whose keys are accepted for the namespaces only if they are kept in hardware.
func (s Signers) RequireHardware(namespaces ...string) Signers {
	all := slices.Clone(s)
	for i := range all {
		all[i].Hardware = namespaces
	}
	return all
}

// InHardware reports whether the key that made a signature is a FIDO key. That the signature fits, and was
// made with a touch (user presence), is what Verify checks. No key type proves which device made it: the
// line of the approvers file is what vouches for the key.
func InHardware(signed proto.Signed) bool {
	made, err := sshsig.Unarmor([]byte(signed.Signature))
	return err == nil && inHardware(made.PublicKey)
}

func inHardware(key ssh.PublicKey) bool {
	return key.Type() == ssh.KeyAlgoSKED25519 || key.Type() == ssh.KeyAlgoSKECDSA256
}
