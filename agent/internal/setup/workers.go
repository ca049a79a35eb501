package setup

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// probeInstance is an instance that nobody starts: systemd loads the template to show its properties.
const probeInstance = "rp-agent-setup"

// requireWorkers refuses patterns whose units are not the application's: systemd is asked as whom each would run. A
// denylist of names (proto.UnitPattern.CheckWorker) is never complete. templates are those that are on the host.
func (p *Plan) requireWorkers(ctx context.Context, config proto.HostConfig, templates []string) error {
	application, err := p.host.account(ctx, config.Application.User)
	if err != nil || application == nil {
		return fmt.Errorf("cannot look up the application's user %s: %v", config.Application.User, err)
	}
	for _, pattern := range config.Workers {
		if !slices.Contains(templates, pattern.Template()) {
			continue
		}
		unit := strings.Replace(string(pattern), "@*.", "@"+probeInstance+".", 1)
		identity, err := p.host.identity(ctx, unit)
		if err == nil {
			err = identity.CheckWorker(unit, config.Application.User, strconv.Itoa(application.uid), systemd.Group)
		}
		if err != nil {
			return fmt.Errorf("%s in `workers` of hosts.toml: %w", pattern, err)
		}
	}
	return nil
}

// identity asks systemctl for what units/systemd.Manager.Identity reads: setup needs no bus of its own.
func (h *Host) identity(ctx context.Context, unit string) (units.Identity, error) {
	shown, err := h.show(ctx, unit, "Id,LoadState,User,Group,SupplementaryGroups,DynamicUser")
	if err != nil {
		return units.Identity{}, err
	}
	if shown["LoadState"] != "loaded" {
		return units.Identity{}, fmt.Errorf("systemd cannot load %s (%s), so as whom it would run is not known", unit, shown["LoadState"])
	}
	return units.Identity{
		Name: shown["Id"], User: shown["User"], Dynamic: shown["DynamicUser"] == "yes",
		Groups: append(strings.Fields(shown["SupplementaryGroups"]), shown["Group"]),
	}, nil
}
