package cli

import (
	"fmt"
	"os"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/controller/internal/migrate"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// signers are the keys that an environment's console host shall accept: the people of the approvers file, and the
// pinned key of the host that must have applied a plan before. No host is asked for another's key.
func (a *app) signers(environment inventory.Environment) (*proto.SetupSigners, error) {
	if environment.Console == nil {
		return nil, nil
	}
	approvers, err := a.readApprovers(environment.Approvers)
	if err != nil {
		return nil, err
	}
	signers := &proto.SetupSigners{Approvers: approvers}
	if environment.After == "" {
		return signers, nil
	}
	key, err := environment.TrustedHosts.Key(environment.After)
	if err != nil {
		return nil, err
	}
	signers.TrustedHosts = key.Line()
	return signers, nil
}

// acceptedKeys says whether a console host's gates accept exactly the keys of the repository's files, as an install
// would bring them there: a key that was taken out of a file here may still count on the host. An agent that reports
// no digests is told apart by migrate.ErrNoDigests.
func (a *app) acceptedKeys(environment inventory.Environment, hello proto.Hello) error {
	want, err := a.signers(environment)
	if err != nil || want == nil {
		return err
	}
	if hello.Signers == nil {
		return &exit.Error{Code: exit.Refused, Host: environment.ConsoleHost, Err: migrate.ErrNoDigests,
			Message: "rp-agent does not report which keys it accepts, so they cannot be compared with the repository's files",
			Next:    "rpctl agent upgrade --env " + environment.Name}
	}
	for _, file := range []struct{ name, want, have string }{
		{"approvers", signature.Digest([]byte(want.Approvers)), hello.Signers.Approvers},
		{"trusted_hosts", signature.Digest([]byte(want.TrustedHosts)), hello.Signers.TrustedHosts},
	} {
		switch {
		case file.have == "":
			return &exit.Error{Code: exit.Refused, Host: environment.ConsoleHost, Message: "the host cannot use its /etc/rp-agent/" + file.name, Next: "rpctl agent diff --env " + environment.Name}
		case file.have != file.want:
			return &exit.Error{
				Code: exit.Refused, Host: environment.ConsoleHost, Next: "rpctl agent diff --env " + environment.Name,
				Message: fmt.Sprintf("the keys of /etc/rp-agent/%s on the host are not those of the repository (sha256 %s there, %s here): rpctl agent diff shows them, rpctl agent upgrade brings these there",
					file.name, printable.Excerpt(file.have, 12), printable.Excerpt(file.want, 12)),
			}
		}
	}
	return nil
}

// receiptKeyFits says whether a console host reports the receipt key that is pinned for its environment.
func receiptKeyFits(environment inventory.Environment, hello proto.Hello) error {
	pinned, err := environment.TrustedHosts.Key(environment.Name)
	if err != nil {
		return err
	}
	if has, err := signature.NewHostKey(hello.Host, hello.ReceiptKey, environment.Name); err != nil || has.Line() != pinned.Line() {
		return &exit.Error{Code: exit.Refused, Host: environment.ConsoleHost, Err: err, Next: "rpctl agent pin --env " + environment.Name,
			Message: fmt.Sprintf("the host reports another receipt key or name than the pinned ones (%s %s): none of its receipts would count", pinned.Host, pinned.Fingerprint())}
	}
	return nil
}

// readApprovers reads the file of people's keys, so that a bad line is told before any host is reached.
func (a *app) readApprovers(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	if err := a.guard(path); err != nil {
		return "", err
	}
	data, err := os.ReadFile(path)
	if err == nil {
		_, err = signature.ParseSigners(data)
	}
	if err != nil {
		return "", &exit.Error{Code: exit.BadInput, Err: err, Next: "ls -l " + exit.Word(path),
			Message: "cannot use the approvers of hosts.toml: " + safe(path) + ": " + err.Error() +
				"; want one line a key: NAME namespaces=\"approval@rpctl,apply@rpctl\" ssh-ed25519 AAAA…"}
	}
	return string(data), nil
}
