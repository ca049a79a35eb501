package release

import (
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
)

func TestThrough(t *testing.T) {
	layout := Layout{"/home/app/www"}
	for path, want := range map[string]bool{
		"/home/app/www/current":                true,
		"/home/app/www/current/":               true,
		"/home/app/www/current/bin/console":    true,
		"/home/app/./www//current/bin":         true,
		"/home/app/www/x/../current":           true,
		"/home/app/www/current/..":             false,
		"/home/app/www/current/../releases/41": false,
		"/home/app/www/currently":              false,
		"/home/app/www/releases/42":            false,
		"/home/app/www":                        false,
		"current/bin/console":                  false,
		"bin/console":                          false,
		"":                                     false,
		"/":                                    false,
	} {
		if got := layout.Through(path); got != want {
			t.Errorf("Through(%q) = %v", path, got)
		}
	}
}

func TestStarts(t *testing.T) {
	layout := Layout{"/home/app/www"}
	cases := []struct {
		paths  []string
		refuse string
	}{
		{[]string{"/home/app/www/current", "/usr/bin/php", "bin/console", "messenger:consume"}, ""},
		{[]string{"/usr/bin/php", "/home/app/www/current/bin/console"}, ""},
		{[]string{"/usr/bin/php", "/opt/worker.php"}, "goes through /home/app/www/current"},
		{nil, "goes through"},
		{[]string{"/home/app/www/current", "/home/app/www/releases/41/bin/console"}, "releases/41"},
	}
	for _, c := range cases {
		err := layout.Starts(c.paths)
		if (err == nil) != (c.refuse == "") || err != nil && !strings.Contains(err.Error(), c.refuse) {
			t.Errorf("Starts(%q) = %v, want %q", c.paths, err, c.refuse)
		}
	}
}

func TestOrder(t *testing.T) {
	at := time.Date(2026, 5, 4, 10, 0, 0, 123456000, time.UTC)
	whole := at.Truncate(time.Second)
	cases := []struct {
		name              string
		switched, started time.Time
		want              string
	}{
		{"long after", at, at.Add(time.Hour), proto.CodeCurrent},
		{"a tick after", at, at.Add(tick), proto.CodeCurrent},
		{"within the tick", at, at.Add(tick - time.Microsecond), proto.CodeUnknown},
		{"the same instant", at, at, proto.CodeUnknown},
		{"a microsecond before", at, at.Add(-time.Microsecond), proto.CodeOld},
		{"whole seconds, within", whole, whole.Add(999 * time.Millisecond), proto.CodeUnknown},
		{"whole seconds, after", whole, whole.Add(time.Second), proto.CodeCurrent},
		{"start not known", at, time.Time{}, proto.CodeUnknown},
		{"switch not known", time.Time{}, at, proto.CodeUnknown},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, why := Order(proto.Release{Name: "42", Switched: c.switched}, c.started)
			if code != c.want || (why == "") != (code == proto.CodeCurrent) {
				t.Errorf("got %s (%s), want %s", code, why, c.want)
			}
		})
	}
}
