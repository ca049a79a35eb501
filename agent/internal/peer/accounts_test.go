package peer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	passwd = "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/bash\nbob:x:1001:1001::/home/bob:/bin/bash\n"
	group  = "root:x:0:\napp:x:1000:\nbob:x:1001:\nrpctl:x:990:app,bob\nrpctl-act:x:991:bob\n"
)

func accounts(t *testing.T, passwd, group string) Accounts {
	t.Helper()
	a := Accounts{filepath.Join(t.TempDir(), "passwd"), filepath.Join(t.TempDir(), "group")}
	for path, text := range map[string]string{a.Passwd: passwd, a.Group: group} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// TestRecheck: a group counts when the process has it and the files list it. The caller is bob, who logged in as a member
// of rpctl and rpctl-act.
func TestRecheck(t *testing.T) {
	bob := Caller{UID: 1001, User: "bob", Groups: []string{"bob", "rpctl", "rpctl-act"}, gids: []uint32{990, 991, 1001}}
	for name, c := range map[string]struct {
		passwd, group string
		want          []string
		refused       string
	}{
		"nothing changed":              {passwd, group, []string{"bob", "rpctl", "rpctl-act"}, ""},
		"removed from one":             {passwd, strings.Replace(group, "rpctl-act:x:991:bob", "rpctl-act:x:991:", 1), []string{"bob", "rpctl"}, ""},
		"another name ends like his":   {passwd, strings.Replace(group, "rpctl-act:x:991:bob", "rpctl-act:x:991:bobby,xbob", 1), []string{"bob", "rpctl"}, ""},
		"removed from all":             {passwd, strings.ReplaceAll(group, "bob\n", "\n"), []string{"bob"}, ""},
		"the group is gone":            {passwd, strings.Replace(group, "rpctl-act:x:991:bob\n", "", 1), []string{"bob", "rpctl"}, ""},
		"the group has another name":   {passwd, strings.Replace(group, "rpctl-act:", "admins:", 1), []string{"bob", "rpctl", "admins"}, ""},
		"the group has another number": {passwd, strings.Replace(group, ":991:", ":992:", 1), []string{"bob", "rpctl"}, ""},
		"added after the login":        {passwd, group + "sudo:x:27:bob\n", []string{"bob", "rpctl", "rpctl-act"}, ""},
		"the primary group is taken":   {strings.Replace(passwd, "bob:x:1001:1001", "bob:x:1001:100", 1), group, []string{"rpctl", "rpctl-act"}, ""},
		"the account is gone":          {strings.Replace(passwd, "bob:x:1001:1001::/home/bob:/bin/bash\n", "", 1), group, nil, "has no account"},
		"the uid is another's":         {strings.Replace(passwd, "bob:", "eve:", 1), group, nil, "was bob when it connected, and is eve now"},
		"a torn line":                  {passwd, strings.Replace(group, "rpctl-act:x:991:bob", "rpctl-act:x:991", 1), []string{"bob", "rpctl"}, ""},
		"empty files":                  {"", "", nil, "has no account"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := accounts(t, c.passwd, c.group).Recheck(bob)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("%v, want %q", err, c.refused)
				}
				return
			}
			if err != nil || !slices.Equal(got.Groups, c.want) || got.UID != bob.UID || got.User != bob.User {
				t.Errorf("%+v, %v; want %v", got, err, c.want)
			}
		})
	}
}

// TestRecheckOfFilesThatCannotBeRead refuses: what cannot be looked up does not count.
func TestRecheckOfFilesThatCannotBeRead(t *testing.T) {
	bob := Caller{UID: 1001, User: "bob", gids: []uint32{990}}
	a := accounts(t, passwd, group)
	for _, broken := range []Accounts{{a.Passwd, a.Group + ".none"}, {a.Passwd + ".none", a.Group}} {
		if got, err := broken.Recheck(bob); err == nil {
			t.Errorf("%+v", got)
		}
	}
}
