package cli

import (
	"os"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/inventory"
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
