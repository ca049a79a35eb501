package proto

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// UnitPattern names a family of worker instances, as the runbook writes it:
// `messenger_worker_async@*.service`. The star stands for an instance name and
// nothing else; a pattern without @ is one plain service.
type UnitPattern string

// wellFormed is systemd's unit name (systemd.unit(5)) cut down to what a worker needs:
// no escapes, no path characters, at most one star, and that one only as the whole instance.
func (p UnitPattern) wellFormed() bool {
	base, isService := strings.CutSuffix(string(p), ".service")
	name, instance, templated := strings.Cut(base, "@")
	return isService && unitWord(name) && (!templated || instance == "*" || unitWord(instance))
}

// unitWord is the names and instance names that the polkit rule and the agent accept.
func unitWord(s string) bool { return word(s, isAlnum, "_.-", 64) }

// Check refuses what is no pattern; the error says what is meant.
func (p UnitPattern) Check() error {
	if !p.wellFormed() {
		return fmt.Errorf("bad unit pattern %q: want a name like messenger_worker_async@*.service", string(p))
	}
	return nil
}

// hostUnits are units of the host itself, by name and by the beginning of a name, in lower case. A list of names
// is never complete: rp-agent setup also refuses a unit that does not run as the application's user.
var (
	hostUnits = []string{
		"user", "getty", "serial-getty", "console-getty", "container-getty", "autovt", "debug-shell", "emergency", "rescue",
		"login", "logind", "cron", "crond", "cronie", "anacron", "atd", "rc", "rc-local", "rsyslog", "auditd", "kmod", "ufw",
		"nginx", "httpd", "caddy", "haproxy", "sudo", "su", "ntp", "ntpd", "machine", "network", "redis", "docker",
	}
	hostUnitBeginnings = []string{
		"rp-agent", "systemd", "ssh", "dbus", "polkit", "networking", "networkd", "networkmanager", "network-online", "network-pre", "user-runtime-dir", "udev", "initrd", "modprobe", "ifup", "dhc", "wpa_supplicant",
		"resolvconf", "chrony", "ntpsec", "fail2ban", "nftables", "iptables", "firewalld", "apparmor", "apt-", "unattended-upgrades",
		"mariadb", "mysql", "postgres", "redis-server", "redis-sentinel", "rabbitmq", "memcached", "apache", "containerd", "podman", "lxc", "libvirt",
		"exim", "postfix", "sssd", "nscd", "lvm2", "mdadm", "rpcbind", "nfs-",
	}
)

// CheckWorker refuses what is no pattern, and a pattern of the host's own units: who may restart workers may stop them.
func (p UnitPattern) CheckWorker() error {
	if err := p.Check(); err != nil {
		return err
	}
	name, _, _ := strings.Cut(strings.TrimSuffix(p.Template(), ".service"), "@")
	name = strings.ToLower(name)
	begins := func(beginning string) bool { return strings.HasPrefix(name, beginning) }
	// PHP-FPM's master runs as root and serves the whole site: reload it in the deploy command.
	fpm := begins("php") && strings.HasSuffix(name, "fpm")
	if fpm || slices.Contains(hostUnits, name) || slices.ContainsFunc(hostUnitBeginnings, begins) {
		return fmt.Errorf("bad unit pattern %q: %s is a unit of the host, not a worker of the application", string(p), p.Template())
	}
	return nil
}

// Template is the template that the pattern's instances come from
// (`messenger_worker_async@.service`), or the plain unit itself.
func (p UnitPattern) Template() string {
	name, _, templated := strings.Cut(string(p), "@")
	if !templated {
		return string(p)
	}
	return name + "@.service"
}

// IsInstance says that the pattern names one unit and no family.
func (p UnitPattern) IsInstance() bool { return p.Check() == nil && !strings.Contains(string(p), "*") }

// Match says whether unit is an instance that the pattern stands for. The template itself is not.
func (p UnitPattern) Match(unit string) bool {
	if p.Check() != nil {
		return false
	}
	if ok, err := path.Match(string(p), unit); err != nil || !ok {
		return false
	}
	_, rest, templated := strings.Cut(unit, "@")
	return !templated || unitWord(strings.TrimSuffix(rest, ".service"))
}
