package doctor

import (
	"context"
	"os"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/config"
	"github.com/re-connect/rpctl/agent/internal/journal"
	"github.com/re-connect/rpctl/agent/internal/units/systemd"
)

// ThisMachine is a host that was set up, as this process sees it.
func ThisMachine() *Installed {
	return &Installed{
		Root: "/", Signers: config.Signers, Hosts: config.TrustedHosts,
		Copies: func(ctx context.Context) ([][]byte, error) {
			return journal.Journalctl{}.Recorded(ctx, audit.Identifier, os.Getuid(), maxCopies)
		},
		Connect: func(ctx context.Context) (Manager, func() error, error) {
			manager, err := systemd.New(ctx)
			if err != nil {
				return nil, nil, err
			}
			return manager, manager.Close, nil
		},
	}
}
