package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// signers are the keys that an environment's console host shall accept: the people of the
// approvers file, and the host that must have applied a plan before.
func (a *app) signers(ctx context.Context, environment inventory.Environment) (*proto.SetupSigners, error) {
	if environment.Console == nil {
		return nil, nil
	}
	approvers, err := readApprovers(environment.Approvers)
	if err != nil {
		return nil, err
	}
	signers := &proto.SetupSigners{Approvers: approvers}
	if environment.After == "" {
		return signers, nil
	}
	before, err := a.environment(environment.After)
	if err != nil {
		return nil, err
	}
	signers.TrustedHosts, err = a.receiptKeyOf(ctx, before)
	return signers, err
}

// readApprovers reads the file of people's keys, so that a bad line is told before any host is reached.
func readApprovers(path string) (string, error) {
	if path == "" {
		return "", nil
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

// receiptKeyOf asks the console host of an environment for the key that its receipts are signed with.
func (a *app) receiptKeyOf(ctx context.Context, environment inventory.Environment) (string, error) {
	host := environment.ConsoleHost
	target := fleet.Target{Environment: environment.Name, Host: host}
	greeted := a.fleet().Connect(ctx, []fleet.Target{target}, nil)[0]
	if greeted.Err == nil {
		defer func() { _ = greeted.Value.Agent.Close() }()
	}
	hello := greeted.Value.Hello
	if greeted.Err != nil || hello.ReceiptKey == "" {
		why := "it has none"
		if greeted.Err != nil {
			why = exit.From(greeted.Err).Message
		}
		return "", &exit.Error{Code: exit.Refused, Host: host, Err: greeted.Err,
			Message: "cannot learn the receipt key, which the environment that comes after must trust: " + why,
			Next:    "rpctl agent install --env " + environment.Name}
	}
	return fmt.Sprintf("%s namespaces=%q %s\n", hello.Host, proto.NamespaceApplied, hello.ReceiptKey), nil
}
