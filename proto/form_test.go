package proto

import (
	"path"
	"regexp"
	"testing"
)

// FuzzForms holds the forms of names, written by hand, to the regular expressions that say them
// to a reader (and to the polkit rule and the unit files).
func FuzzForms(f *testing.F) {
	for _, seed := range []string{
		"", "preprod", "all", "-x", "9a", "www-data", "_x.y", "a$", "/home/app/www", "/", "//", "/a/../b", "/a/", "a/b",
		"messenger_worker_async@*.service", "messenger_worker@1.service", "x.service", ".service", "@.service", "a@.service",
		"a@**.service", "a@b@c.service", "a.service.service", "a@*.service\n", "abcdefgh", "ABCDEFGH", "é",
	} {
		f.Add(seed)
	}
	unit := regexp.MustCompile(`\A[A-Za-z0-9_.-]{1,64}(@(\*|[A-Za-z0-9_.-]{1,64}))?\.service\z`)
	environment := regexp.MustCompile(`\A[a-z][a-z0-9-]{0,31}\z`)
	account := regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_.-]{0,31}\z`)
	folder := regexp.MustCompile(`\A(/[A-Za-z0-9_.@+-]+)+\z`)
	job := regexp.MustCompile(`\A[a-z0-9]{8,64}\z`)
	f.Fuzz(func(t *testing.T, s string) {
		for name, got := range map[string][2]bool{
			"unit":        {UnitPattern(s).Check() == nil, unit.MatchString(s)},
			"environment": {CheckEnvironment(s) == nil, environment.MatchString(s) && s != AllEnvironments},
			"account":     {CheckAccount(s) == nil, account.MatchString(s)},
			"path":        {CheckApplicationPath(s) == nil, folder.MatchString(s) && path.Clean(s) == s && len(s) <= maxPath},
			"job":         {JobID(s).Valid(), job.MatchString(s)},
		} {
			if got[0] != got[1] {
				t.Errorf("%s %q: %v, want %v", name, s, got[0], got[1])
			}
		}
	})
}
