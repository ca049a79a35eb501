package units

import (
	"fmt"
	"slices"
)

// Identity is under which name a unit is known, and as whom it runs.
type Identity struct {
	Name    string // Id: another one than was asked for where that is an alias
	User    string // empty: root
	Dynamic bool   // DynamicUser: User is made at each start
	// Groups are Group and SupplementaryGroups; empty strings are none.
	Groups []string
}

// CheckWorker refuses a unit that is no worker of the application: an alias of another unit, one that runs as another
// user than the application's, and one whose groups open the agent's socket to the application. user and uid are
// the application's user by name and by number.
func (i Identity) CheckWorker(unit, user, uid, socketGroup string) error {
	who := i.User
	if who == "" {
		who = "root"
	}
	switch {
	case i.Name != unit:
		return fmt.Errorf("%s is another name of %s: a worker is listed under its own name", unit, i.Name)
	case i.Dynamic:
		return fmt.Errorf("%s runs as a user made at each start, not as the application's user %s", unit, user)
	case i.User == "" || i.User != user && i.User != uid:
		return fmt.Errorf("%s runs as %s, not as the application's user %s: it is no worker of the application", unit, who, user)
	case slices.Contains(i.Groups, socketGroup):
		return fmt.Errorf("%s runs in group %s: the application could give orders to the agent", unit, socketGroup)
	}
	return nil
}
