package migration

import (
	_ "embed"
	"encoding/json"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

// probe is PHP that runs before the migration command, in its very process, and writes what it can do.
//
//go:embed testdata/probe.php
var probe string

const (
	probePHP  = shared + "/probe.php"
	probeSays = shared + "/var/probe.json"
)

// prepend lets PHP run the probe before a migration that is no dry run.
func prepend(t *testing.T, h *lab.Host) {
	t.Helper()
	labtest.Put(t, h, probePHP, probe)
	labtest.On(t, h, "sh", "-c", "for dir in /etc/php/*/cli/conf.d; do echo auto_prepend_file="+probePHP+" >$dir/99-probe.ini; done")
}

// able is what the probe found.
type able struct {
	UID, Cwd           string
	Read               map[string]bool // what could be read, by path
	Write              map[string]bool // where a file could be made, by folder
	Connect            map[string]bool // which sockets took a connection
	Database           map[string]bool // at which addresses a database answered
	NoNewPrivs, CapEff string
	Seccomp            string
	Output             string // what its standard output is
	Environment        map[string]string
	Processes          bool // whether it sees those of other users
}

// sandbox: what the console command of the running job could do, against what a login of the same user can.
func sandbox(t *testing.T, s *stage) {
	inside := probed(t, labtest.Read(t, s.preprod, probeSays))
	out, err := s.preprod.RunAs(t.Context(), "app", "/usr/bin/php", "-d", "auto_prepend_file=", probePHP, "probe")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	outside := probed(t, out)
	if inside.UID != "1000" || !strings.HasPrefix(inside.Cwd, lab.AppPath+"/releases/") {
		t.Errorf("it runs as uid %s in %s", inside.UID, inside.Cwd)
	}
	if !outside.Read["/home/app/.ssh/authorized_keys"] {
		t.Error("the probe cannot tell what may be read")
	}
	for path, got := range inside.Read {
		if got {
			t.Errorf("it can read %s", path)
		}
	}
	for name, can := range inside.Connect {
		if can || !outside.Connect[name] {
			t.Errorf("it can connect to %s: %t; a login of the same user: %t", name, can, outside.Connect[name])
		}
	}
	if len(inside.Database) != 2 {
		t.Errorf("it was asked for databases at %v", inside.Database)
	}
	for at, can := range inside.Database {
		if !can {
			t.Errorf("it cannot reach the database at %s; a login of the same user: %t", at, outside.Database[at])
		}
	}
	wantWrite := map[string]bool{shared + "/var": true, lab.AppPath + "/releases": false, "/home/app": false, "/var/tmp": true, "/etc": false, "/var/lib/rp-agent-console/specs": false}
	for dir, want := range wantWrite {
		if got, asked := inside.Write[dir]; !asked || got != want {
			t.Errorf("it can make a file in %s: %t", dir, !want)
		}
	}
	if !outside.Write["/home/app"] {
		t.Error("the probe cannot tell what may be written")
	}
	if inside.NoNewPrivs != "1" || strings.Trim(inside.CapEff, "0") != "" || inside.Seccomp != "2" {
		t.Errorf("NoNewPrivs %s, CapEff %s, Seccomp %s", inside.NoNewPrivs, inside.CapEff, inside.Seccomp)
	}
	if inside.Processes || !outside.Processes {
		t.Errorf("it sees other users' processes: %t; a login: %t", inside.Processes, outside.Processes)
	}
	if !strings.HasPrefix(inside.Output, "/var/lib/rp-agent-console/output/") {
		t.Errorf("its output goes to %s", inside.Output)
	}
	for name := range inside.Environment {
		if !strings.Contains(" PATH LANG HOME USER LOGNAME ", " "+name+" ") {
			t.Errorf("its environment has %s", name)
		}
	}
}

func probed(t *testing.T, text string) able {
	t.Helper()
	var a able
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return a
}
