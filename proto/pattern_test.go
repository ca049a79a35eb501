package proto

import (
	"strings"
	"testing"
)

func TestUnitPatternCheck(t *testing.T) {
	good := []UnitPattern{
		"messenger_worker@*.service", "messenger_worker_async@*.service", "messenger_worker@1.service", "cron.service",
	}
	bad := []UnitPattern{
		"", "*", "*.service", "messenger_worker@*", "messenger_*@*.service", "messenger_worker@1*.service",
		"messenger_worker@.service", "../x.service", "a/b.service", "a b.service", "a@*.socket", "a@*@*.service",
		"a@\n.service", UnitPattern(strings.Repeat("a", 65) + ".service"),
	}
	for _, p := range good {
		if err := p.Check(); err != nil {
			t.Errorf("%q refused: %v", p, err)
		}
	}
	for _, p := range bad {
		if p.Check() == nil {
			t.Errorf("%q accepted", p)
		}
	}
}

func TestUnitPatternMatch(t *testing.T) {
	for _, c := range []struct {
		pattern UnitPattern
		unit    string
		want    bool
	}{
		{"messenger_worker@*.service", "messenger_worker@1.service", true},
		{"messenger_worker@*.service", "messenger_worker@a.b-c_d.service", true},
		{"messenger_worker@*.service", "messenger_worker_async@1.service", false},
		{"messenger_worker@*.service", "messenger_worker@.service", false},
		{"messenger_worker@*.service", "messenger_worker@1.socket", false},
		{"messenger_worker@*.service", `messenger_worker@a\x2db.service`, false},
		{"messenger_worker@*.service", "messenger_worker@a b.service", false},
		{"messenger_worker@*.service", "messenger_worker@../x.service", false},
		{"messenger_worker@*.service", "messenger_worker@1@2.service", false},
		{"messenger_worker@2.service", "messenger_worker@1.service", false},
		{"cron.service", "cron.service", true},
		{"*.service", "cron.service", false},
	} {
		if got := c.pattern.Match(c.unit); got != c.want {
			t.Errorf("%q matches %q: %v, want %v", c.pattern, c.unit, got, c.want)
		}
	}
}

func TestUnitPatternTemplate(t *testing.T) {
	for pattern, want := range map[UnitPattern]string{
		"messenger_worker@*.service": "messenger_worker@.service",
		"messenger_worker@2.service": "messenger_worker@.service",
		"cron.service":               "cron.service",
	} {
		if got := pattern.Template(); got != want {
			t.Errorf("template of %q: %q, want %q", pattern, got, want)
		}
	}
}

// FuzzUnitPattern holds that nothing matches that could be read by systemd or a
// shell as more than one plain unit name.
func FuzzUnitPattern(f *testing.F) {
	f.Add("messenger_worker@*.service", "messenger_worker@1.service")
	f.Add("a@*.service", "a@../b.service")
	f.Fuzz(func(t *testing.T, pattern, unit string) {
		if UnitPattern(pattern).Match(unit) && strings.ContainsAny(unit, " \t\n/\\*?[];&|$`'\"\x00") {
			t.Errorf("%q matches %q", pattern, unit)
		}
	})
}
