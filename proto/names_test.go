package proto

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	tests := []struct {
		what  string
		check func(string) error
		good  []string
		bad   []string
	}{
		{
			"environment", CheckEnvironment,
			[]string{"preprod", "p", "prod-2", strings.Repeat("a", 32)},
			[]string{"", "Prod", "2prod", "-prod", "pre_prod", "pre prod", "prod\n", "all", strings.Repeat("a", 33)},
		},
		{
			"account", CheckAccount,
			[]string{"app", "www-data", "_apt", "Jean.Dupont", "rpctl"},
			[]string{"", "-x", "a b", "1a", "a:b", "a\n", "root;", strings.Repeat("a", 33)},
		},
		{
			"path", CheckApplicationPath,
			[]string{"/home/app/www", "/srv/re-connect.fr/pro_1"},
			[]string{"", "www", "~/www", "/", "/home//app", "/home/app/", "/home/../etc", "/home/./app", "/home/a b", "/home/%h", "/home/a\n", "/" + strings.Repeat("a", 1024)},
		},
	}
	for _, test := range tests {
		for _, name := range test.good {
			if err := test.check(name); err != nil {
				t.Errorf("%s %q is refused: %v", test.what, name, err)
			}
		}
		for _, name := range test.bad {
			if test.check(name) == nil {
				t.Errorf("%s %q is taken", test.what, name)
			}
		}
	}
}
