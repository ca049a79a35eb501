package exit

import "testing"

func TestAdviceCanBeTypedHere(t *testing.T) {
	for said, want := range map[string]string{
		"":                                     "",
		"rp-agent doctor":                      "ssh pp1 rp-agent doctor",
		"sudo systemctl enable --now x@1":      "ssh -t pp1 sudo systemctl enable --now x@1",
		"sudo systemctl start rp-agent.socket": "rpctl agent install --env preprod",
		"sudo chmod go-w /etc/rp-agent/agent.toml": "rpctl agent install --env preprod",
		"df -h /var/lib/rp-agent":                  "ssh pp1 df -h /var/lib/rp-agent",
		"findmnt -T /var/lib/rp-agent":             "ssh pp1 findmnt -T /var/lib/rp-agent",
		"sudo chown root /x && sudo chmod go-w /x": `ssh -t pp1 "sudo chown root /x && sudo chmod go-w /x"`,
		"sudo journalctl -u 'rp-agent@*' -n 50":    `ssh -t pp1 "sudo journalctl -u 'rp-agent@*' -n 50"`,
		`sudo usermod -aG rpctl "$USER"`:           `ssh -t pp1 'sudo usermod -aG rpctl "$USER"'`,
		"git update-index --chmod=+x bin/console":  "git update-index --chmod=+x bin/console",
		"rpctl agent upgrade":                      "rpctl agent upgrade --env preprod",
		"ssh pp1 rp-agent doctor":                  "ssh pp1 rp-agent doctor",
		"rpctl agent install":                      "rpctl agent install --env preprod",
		"rpctl attach abcdefgh --env prod":         "rpctl attach abcdefgh --env prod",
		"rpctl plan check PLAN":                    "rpctl plan check PLAN",
		"mend the file of an older rp-agent":       "mend the file of an older rp-agent",
	} {
		if got := Advice(said, "pp1", "preprod"); got != want {
			t.Errorf("%q became %q, want %q", said, got, want)
		}
	}
}
