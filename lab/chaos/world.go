package chaos

import (
	"context"

	"github.com/re-connect/rpctl/lab/wire"
)

// world is a lab with the one environment that plans run in, and its one host. What a run needs of
// it is the same on embedded hosts and on real ones; faults may need more.
type world interface {
	Dir() string       // for what a run writes on the developer's side
	WorkTree() string  // where rpctl is typed
	SSHConfig() string // as ssh_config(5)
	HostsTOML() string
	Approver() string // the private key of somebody who may approve

	// The host's files, as paths of this machine.

	State(names ...string) string // /var/lib/rp-agent
	Outputs() string              // what console commands printed
	Application() string          // Deployer's folder

	// Console runs a command of the application beside the agent.
	Console(ctx context.Context, args ...string) ([]byte, error)
	// Ask types `rp-agent …` on the host as a login user would.
	Ask(ctx context.Context, command string) (string, error)
	// ReceiptKey is the public key of the host's receipts, as in authorized_keys.
	ReceiptKey(ctx context.Context) (string, error)
	// Left is what is still there although nothing runs: processes, units.
	Left(ctx context.Context) []string
	// Wire is the network between the developer and the host.
	Wire() *wire.Proxy
	// Hold keeps a connection open that rpctl shares, in fair weather, where that is cheaper; end closes it.
	Hold(ctx context.Context) (end func())
	Close()
}
