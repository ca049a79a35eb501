package doctor

import (
	"context"

	"github.com/re-connect/rpctl/agent/internal/config"
	"github.com/re-connect/rpctl/agent/internal/units/systemd"
)

// ThisMachine is a host that was set up, as this process sees it.
func ThisMachine() *Installed {
	return &Installed{
		Root: "/", Signers: config.Signers, Hosts: config.TrustedHosts,
		Connect: func(ctx context.Context) (Manager, func() error, error) {
			manager, err := systemd.New(ctx)
			if err != nil {
				return nil, nil, err
			}
			return manager, manager.Close, nil
		},
	}
}
