package peer

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Accounts are the files that list the users and groups of a host: passwd(5) and group(5). Accounts of other sources
// (LDAP, sssd) are not read: the agent has neither a network nor a C library.
type Accounts struct{ Passwd, Group string }

// ThisHost are the files of a real host.
var ThisHost = Accounts{Passwd: "/etc/passwd", Group: "/etc/group"}

// Recheck returns the caller with the groups that it is a member of now. A group counts when the kernel proved it at the
// connection and the files still list the user in it. The error says why the caller is no user of this host any more,
// or that the files cannot be read.
func (a Accounts) Recheck(c Caller) (Caller, error) {
	names, primary, err := a.user(c.UID)
	if err != nil {
		return Caller{}, err
	}
	switch {
	case len(names) == 0:
		return Caller{}, fmt.Errorf("%s (uid %d) has no account in %s", c.User, c.UID, a.Passwd)
	case !slices.Contains(names, c.User):
		return Caller{}, fmt.Errorf("uid %d was %s when it connected, and is %s now", c.UID, c.User, names[0])
	}
	now := Caller{UID: c.UID, User: c.User, gids: c.gids}
	err = lines(a.Group, 4, func(field []string) {
		gid, err := strconv.ParseUint(field[2], 10, 32)
		if err != nil || !slices.Contains(c.gids, uint32(gid)) {
			return
		}
		listed := slices.ContainsFunc(strings.Split(field[3], ","), func(member string) bool { return slices.Contains(names, member) })
		if listed || slices.Contains(primary, field[2]) {
			now.Groups = append(now.Groups, field[0])
		}
	})
	return now, err
}

// user is the names of a uid and the primary groups that go with them.
func (a Accounts) user(uid uint32) (names, primary []string, err error) {
	want := strconv.FormatUint(uint64(uid), 10)
	err = lines(a.Passwd, 7, func(field []string) {
		if field[2] == want {
			names, primary = append(names, field[0]), append(primary, field[3])
		}
	})
	return names, primary, err
}

// maxAccount bounds a line of the files, in bytes: a group may list thousands of members.
const maxAccount = 1 << 20

// lines calls each with the fields of every line of a file that has so many.
func lines(path string, fields int, each func(field []string)) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot look up the caller's groups: %w", err)
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, maxAccount)
	for scanner.Scan() {
		if field := strings.Split(scanner.Text(), ":"); len(field) == fields && field[0] != "" {
			each(field)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("cannot look up the caller's groups: %w", fmt.Errorf("%s: %w", path, err))
	}
	return nil
}
