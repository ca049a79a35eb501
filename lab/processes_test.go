package lab

import "testing"

func TestUnitOf(t *testing.T) {
	for groups, want := range map[string]string{
		"9:name=systemd:/rpctl-lab.x/system.slice/ssh.service\n4:memory:/elsewhere\n":     "ssh.service",
		"0::/rpctl-lab.x/system.slice/system-rp\\x2dagent.slice/rp-agent@3-1-0.service\n": "rp-agent@3-1-0.service",
		"0::/rpctl-lab.x/user.slice/user-1000.slice/session-3.scope\n":                    "session-3.scope",
		"9:name=systemd:/rpctl-lab.x/init.scope\n0::/rpctl-lab.x/init.scope\n":            "init.scope",
		"9:name=systemd:/rpctl-lab.x\n":                                                   "",
	} {
		if got := unitOf(groups); got != want {
			t.Errorf("%q: %q, want %q", groups, got, want)
		}
	}
}
