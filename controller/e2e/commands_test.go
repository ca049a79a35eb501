package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/lab/filewatch"
	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/lab/sshhost"
)

// commands are what a script may say on top of testscript's own words.
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"lab": startLab, "merge": merge, "edit": edit, "waitfor": waitFor, "stop-unit": stopUnit, "lose": lose,
	"changed-key": changedKey, "rewrite-audit": rewriteAudit, "events": events, "full-disk": fullDisk,
}

// patience is how long a script waits for something to happen that should.
const patience = 10 * time.Minute

// labs is the lab of each script that runs.
var labs = make(chan map[*testscript.TestScript]*inprocess.Lab, 1)

func init() { labs <- map[*testscript.TestScript]*inprocess.Lab{} }

func labOf(ts *testscript.TestScript) *inprocess.Lab {
	all := <-labs
	defer func() { labs <- all }()
	if all[ts] == nil {
		ts.Fatalf("the script has not said `lab` yet")
	}
	return all[ts]
}

// startLab: lab [SCENARIO…] starts hosts, broken as the scenarios say, and goes to the work tree.
func startLab(ts *testscript.TestScript, _ bool, names []string) {
	options := inprocess.Options{Dir: ts.MkAbs("lab"), Environments: inprocess.Runbook()}
	var adjust []func(*inprocess.Host)
	for _, name := range names {
		scenario, ok := scenarios[name]
		if !ok {
			ts.Fatalf("there is no scenario %q", name)
		}
		if scenario.environments != nil {
			scenario.environments(options.Environments)
		}
		if scenario.host != nil {
			adjust = append(adjust, scenario.host)
		}
	}
	options.Adjust = func(h *inprocess.Host) {
		for _, change := range adjust {
			if h.Environment == "preprod" {
				change(h)
			}
		}
	}
	ts.Check(os.MkdirAll(options.Dir, 0o755))
	lab, err := inprocess.Start(context.Background(), options)
	ts.Check(err)
	ts.Defer(lab.Close)
	all := <-labs
	all[ts] = lab
	labs <- all
	ts.Check(ts.Chdir(lab.WorkTree()))
}

// merge: merge BRANCH FILE TEXT has a colleague push a change to the remote.
func merge(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(labOf(ts).Merge(context.Background(), args[0], args[1], args[2]+"\n"))
}

// edit: edit FILE REGEXP TEXT replaces what matches, and fails where nothing does.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	name, pattern := ts.MkAbs(args[0]), regexp.MustCompile("(?m)"+args[1])
	data, err := os.ReadFile(name)
	ts.Check(err)
	if !pattern.Match(data) {
		ts.Fatalf("nothing in %s matches %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(name, pattern.ReplaceAll(data, []byte(strings.ReplaceAll(args[2], `\n`, "\n"))), 0o644))
}

// waitFor: waitfor FILE [REGEXP] waits until a file is there, and something in it.
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile("(?m)" + slices.Concat(args, []string{""})[1])
	file := ts.MkAbs(args[0])
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := filewatch.Wait(ctx, filepath.Dir(file), func() bool {
		data, err := os.ReadFile(file)
		return err == nil && pattern.Match(data)
	})
	if err != nil {
		ts.Fatalf("%v did not come within %s: %v", args, patience, err)
	}
}

// stopUnit: stop-unit HOST UNIT stops a unit as an administrator would.
func stopUnit(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ts.Check(labOf(ts).Host(args[0]).Running().Supervisor().Stop(ctx, args[1]))
}

// lose: lose HOST cuts all its connections and lets no new one in.
func lose(ts *testscript.TestScript, _ bool, args []string) {
	labOf(ts).Host(args[0]).Server().Close()
}

// changedKey: changed-key HOST makes another key the one that is known of a host.
func changedKey(ts *testscript.TestScript, _ bool, args []string) {
	lab := labOf(ts)
	known := filepath.Join(lab.Dir(), "known_hosts")
	line := lab.Host(args[0]).Server().KnownHostsLine()
	data, err := os.ReadFile(known)
	ts.Check(err)
	other, err := sshhost.Start(sshhost.Options{})
	ts.Check(err)
	defer other.Close()
	address, _, _ := strings.Cut(line, " ")
	_, key, _ := strings.Cut(other.KnownHostsLine(), " ")
	ts.Check(os.WriteFile(known, bytes.Replace(data, []byte(line), []byte(address+" "+key), 1), 0o644))
}

// rewriteAudit: rewrite-audit HOST OLD NEW changes a text in a host's audit, and makes the chain hold again, as
// one could who writes that file; without texts it takes the last entry away.
func rewriteAudit(ts *testscript.TestScript, _ bool, args []string) {
	path := filepath.Join(labOf(ts).Host(args[0]).Agent.State, "audit.jsonl")
	data, err := os.ReadFile(path)
	ts.Check(err)
	lines := bytes.SplitAfter(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	if len(args) == 1 {
		ts.Check(os.WriteFile(path, bytes.Join(lines[:len(lines)-1], nil), 0o600))
		return
	}
	if !bytes.Contains(data, []byte(args[1])) {
		ts.Fatalf("nothing in the audit is %s", args[1])
	}
	var out []byte
	prev := ""
	for _, line := range lines {
		text, _, _ := strings.Cut(strings.ReplaceAll(string(line), args[1], args[2]), `,"prev":"`)
		sum := sha256.Sum256([]byte(prev + "\n" + text + `,"prev":"","hash":""}`))
		hash := hex.EncodeToString(sum[:])
		out = fmt.Appendf(out, `%s,"prev":"%s","hash":"%s"}`+"\n", text, prev, hash)
		prev = hash
	}
	ts.Check(os.WriteFile(path, out, 0o600))
}

// events: events stdout says that every line is an event that docs/json.md knows.
func events(ts *testscript.TestScript, _ bool, args []string) {
	lines := bytes.Split(bytes.TrimSpace([]byte(ts.ReadFile(args[0]))), []byte("\n"))
	for _, line := range lines {
		var one event.Event
		if err := json.Unmarshal(line, &one); err != nil || !slices.Contains(event.Kinds, one.Kind) {
			ts.Fatalf("no event: %s (%v)", line, err)
		}
	}
}
