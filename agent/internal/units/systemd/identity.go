package systemd

import (
	"context"
	"fmt"

	"github.com/re-connect/rpctl/agent/internal/units"
)

// Identity reads under which name systemd knows a unit, and as whom the unit runs. It makes systemd load the unit.
func (m *Manager) Identity(ctx context.Context, unit string) (units.Identity, error) {
	if err := checkName(unit); err != nil {
		return units.Identity{}, fmt.Errorf("cannot read %s: %w", unit, err)
	}
	var all properties
	object := m.bus.conn.Object(destination, unitPath(unit))
	if err := object.CallWithContext(ctx, propertyFace+".GetAll", 0, "").Store(&all); err != nil {
		return units.Identity{}, fmt.Errorf("cannot read %s: %w", unit, Explain(err))
	}
	var found units.Identity
	found.Name, _ = text(all, "Id")
	found.User, _ = text(all, "User")
	group, _ := text(all, "Group")
	more, _ := value[[]string](all, "SupplementaryGroups")
	found.Groups = append(more, group)
	found.Dynamic, _ = value[bool](all, "DynamicUser")
	return found, nil
}
