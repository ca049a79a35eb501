// Package peer says who is at the other end of the agent's socket.
package peer

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"
)

// Caller is a user of this host, proved by the kernel (SO_PEERCRED, SO_PEERGROUPS in socket(7)).
type Caller struct {
	UID    uint32
	User   string   // login name, or "uid 1234" where it has none
	Groups []string // names; a group without one is "gid 1234"

	gids []uint32 // Groups as the kernel has them
}

// In says whether the caller is a member of one of the groups.
func (c Caller) In(groups []string) bool {
	return slices.ContainsFunc(c.Groups, func(has string) bool { return slices.Contains(groups, has) })
}

// named gives the kernel's numbers their names. It never fails: who has no name
// is still somebody, and a rule about names then simply does not fit.
func named(uid uint32, gids []uint32) Caller {
	caller := Caller{UID: uid, User: fmt.Sprintf("uid %d", uid)}
	if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
		caller.User = u.Username
	}
	slices.Sort(gids)
	caller.gids = slices.Compact(gids)
	for _, gid := range caller.gids {
		name := fmt.Sprintf("gid %d", gid)
		if g, err := user.LookupGroupId(strconv.FormatUint(uint64(gid), 10)); err == nil {
			name = g.Name
		}
		caller.Groups = append(caller.Groups, name)
	}
	return caller
}
