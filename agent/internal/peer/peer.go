// Package peer says who is at the other end of the agent's socket.
package peer

// Caller is a user of this host, proved by the kernel (SO_PEERCRED, SO_PEERGROUPS in socket(7)).
type Caller struct {
	UID    uint32
	User   string   // login name, or "uid 1234" where it has none
	Groups []string // names; a group without one is "gid 1234"
}

// In says whether the caller is a member of one of the groups.
func (c Caller) In(groups []string) bool {
	for _, has := range c.Groups {
		for _, wanted := range groups {
			if has == wanted {
				return true
			}
		}
	}
	return false
}
