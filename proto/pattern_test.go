package proto

import (
	"strings"
	"testing"
)

func TestUnitPatternCheck(t *testing.T) {
	good := []UnitPattern{
		"messenger_worker@*.service", "messenger_worker_async@*.service", "messenger_worker@1.service", "import.service",
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

func TestUnitPatternCheckWorkerRefusesUnitsOfTheHost(t *testing.T) {
	for _, good := range []UnitPattern{
		"messenger_worker@*.service", "messenger_worker_async@1.service", "import.service", "user_export@*.service", "cron_worker.service",
		"sms-sender@*.service", "logins_report.service", "php_worker@*.service", "user-notifications@*.service", "network-sync@*.service", "redis-consumer@*.service",
	} {
		if err := good.CheckWorker(); err != nil {
			t.Errorf("%q refused: %v", good, err)
		}
	}
	for _, bad := range []UnitPattern{
		"ssh.service", "sshd.service", "ssh@*.service", "sshd@1.service", "SSH.service", "dbus.service", "dbus-broker.service",
		"dbus-org.freedesktop.login1.service", "systemd-logind.service", "systemd-journald@*.service", "polkit.service", "polkitd.service",
		"user@*.service", "user@1000.service", "user-runtime-dir@*.service", "getty@*.service", "serial-getty@ttyS0.service", "autovt@*.service",
		"cron.service", "crond.service", "networking.service", "NetworkManager.service", "networkd-dispatcher.service", "login.service",
		"rp-agent@*.service", "rp-agent-console@*.service", "rp-agentx.service", "mariadb.service", "mariadb@*.service", "mysql.service",
		"postgresql@*.service", "nginx.service", "apache2.service", "php8.2-fpm.service", "php-fpm.service", "docker.service", "redis.service", "redis-server@*.service", "udev.service",
		"emergency.service", "rescue.service", "debug-shell.service", "rsyslog.service", "nftables.service", "apparmor.service",
		"*.service", "s*.service", "*@*.service", "ssh*@*.service",
	} {
		if bad.CheckWorker() == nil {
			t.Errorf("%q accepted", bad)
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
		{"import.service", "import.service", true},
		{"*.service", "import.service", false},
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
		"import.service":             "import.service",
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
