package lab

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFolder(t *testing.T) {
	t.Run("somebody else's is refused", func(t *testing.T) {
		dir := t.TempDir()
		theirs := filepath.Join(dir, "thesis.tex")
		if err := os.WriteFile(theirs, []byte("years"), 0o644); err != nil {
			t.Fatal(err)
		}
		err := Options{Dir: dir}.makeFolder()
		if err == nil || !strings.Contains(err.Error(), "RPCTL_LAB_DIR") {
			t.Errorf("got %v, want a refusal that names RPCTL_LAB_DIR", err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("the folder was touched: %v", entries)
		}
	})
	t.Run("an empty one is taken, and taken again", func(t *testing.T) {
		dir := t.TempDir()
		for range 2 {
			if err := (Options{Dir: dir}).makeFolder(); err != nil {
				t.Fatal(err)
			}
		}
		info, err := os.Stat(filepath.Join(dir, "cache"))
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the cache of setuid programs is %v, %v", info, err)
		}
	})
}

func TestAddresses(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range slots {
		for _, r := range Roles {
			a := s.address(r)
			if ip := net.ParseIP(a); ip == nil || !ip.IsLoopback() || seen[a] {
				t.Errorf("%q of %s in slot %q is no loopback address of its own", a, r, s)
			}
			seen[a] = true
		}
	}
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", net.JoinHostPort(SlotBench.address(Prod), "2222"))
	if err != nil {
		t.Skipf("cannot take the address for the test: %v", err)
	}
	defer l.Close()
	if err := SlotBench.free(t.Context(), []Role{Prod}, "2222"); err == nil || !strings.Contains(err.Error(), "prod") {
		t.Errorf("got %v, want an error that names prod", err)
	}
}

func TestNspawnRoot(t *testing.T) {
	for cmdline, want := range map[string]string{
		"systemd-nspawn\x00--quiet\x00--directory=/x/hosts/prod\x00--boot\x00": "/x/hosts/prod",
		"/usr/bin/systemd-nspawn\x00--directory=/y\x00":                        "/y",
		"systemd-nspawn\x00-D\x00/y\x00":                                       "",
		"vim\x00--directory=/x/hosts/prod\x00":                                 "",
		"":                                                                     "",
	} {
		proc := t.TempDir()
		if err := os.WriteFile(filepath.Join(proc, "cmdline"), []byte(cmdline), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, ok := nspawnRoot(proc); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", cmdline, got, ok, want)
		}
	}
}

// TestSSHConfig asks ssh itself what the configuration means.
func TestSSHConfig(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("needs ssh")
	}
	l := &Lab{Suite: Bookworm, Dir: "/lab", port: "2222"}
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, l.sshConfig(Roles), 0o644); err != nil {
		t.Fatal(err)
	}
	for alias, want := range map[string][]string{
		"rp-preprod":        {"hostname 127.77.0.11", "user app", "port 2222", "proxyjump rp-bastion", "identityfile /lab/ssh/id_ed25519", "stricthostkeychecking true"},
		"rp-preprod-direct": {"hostname 127.77.0.11", "user app", "!proxyjump"},
		"rp-preprod-admin":  {"hostname 127.77.0.11", "user admin", "proxyjump rp-bastion"},
		"rp-prod":           {"hostname 127.77.0.12", "user alice", "proxyjump rp-bastion", "identityfile /lab/ssh/id_ed25519"},
		"rp-prod-app":       {"hostname 127.77.0.12", "user app", "proxyjump rp-bastion", "identityfile /lab/ssh/id_ed25519"},
		"rp-prod-forced":    {"hostname 127.77.0.12", "user alice", "identityfile /lab/ssh/id_forced", "!identityfile /lab/ssh/id_ed25519"},
		"rp-bastion":        {"hostname 127.77.0.10", "user jump", "!proxyjump", "userknownhostsfile /lab/ssh/known_hosts"},
	} {
		out, err := exec.CommandContext(t.Context(), "ssh", "-G", "-F", file, alias).Output()
		if err != nil {
			t.Fatalf("ssh -G %s: %v", alias, err)
		}
		for _, line := range want {
			forbidden, not := strings.CutPrefix(line, "!")
			found := slices.ContainsFunc(strings.Split(string(out), "\n"), func(l string) bool {
				return l == forbidden || (not && strings.HasPrefix(l, forbidden+" "))
			})
			if found == not {
				t.Errorf("%s: %q, found=%v in\n%s", alias, line, found, out)
			}
		}
	}
}

// TestUnits: a worker goes through current, or nobody could prove what it runs.
func TestUnits(t *testing.T) {
	entries, err := files.ReadDir("units")
	if err != nil || len(entries) != 4 {
		t.Fatalf("%d unit files, %v", len(entries), err)
	}
	for _, e := range entries {
		data, err := files.ReadFile("units/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"\nUser=app\n", AppPath + "/current/bin/console messenger:consume ", "\nTimeoutStopSec="} {
			if !strings.Contains(string(data), want) {
				t.Errorf("%s has no %q", e.Name(), want)
			}
		}
	}
}

func TestChecked(t *testing.T) {
	for want, o := range map[string]Options{
		"unknown suite":      {Suite: "sid"},
		"unknown slot":       {Slot: "mine"},
		"unknown role":       {Roles: []Role{"staging"}},
		"unknown database":   {Database: "oracle"},
		"bad lab folder":     {Dir: "relative"},
		"want an absolute p": {Dir: "/with space"},
	} {
		if _, err := o.checked(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", o, err, want)
		}
	}
	o, err := Options{Database: MariaDB}.checked()
	if err != nil || o.database(Bastion) != SQLite || o.database(Prod) != MariaDB {
		t.Errorf("%+v, %v", o, err)
	}
}
