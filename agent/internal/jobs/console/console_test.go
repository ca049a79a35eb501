package console

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

func folders(t *testing.T) Folders {
	t.Helper()
	f := FoldersIn(t.TempDir())
	for _, folder := range []string{f.Specs, f.Output, f.Ends} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(folder, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

var (
	id    = NewID("testjob00001", 0)
	me    = uint32(os.Geteuid())
	move  = plan.Step{Origin: plan.Centre{ID: 1, Name: "A"}, Destination: plan.Centre{ID: 2, Name: "B"}, Field: "f", Value: "x"}
	rules = proto.Console{PHP: "/usr/bin/php", Script: "bin/console"}
)

// TestSpecIsBelieved only where nobody but its owner can have written it.
func TestSpecIsBelieved(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f Folders) error
		want   string
	}{
		"good":                 {func(Folders) error { return nil }, ""},
		"folder of others":     {func(f Folders) error { return os.Chmod(f.Specs, 0o777) }, "may not be believed"},
		"file of others":       {func(f Folders) error { return os.Chmod(f.spec(id), 0o666) }, "may not be believed"},
		"file of the group":    {func(f Folders) error { return os.Chmod(f.spec(id), 0o664) }, "may not be believed"},
		"a link":               {func(f Folders) error { return relink(f.spec(id)) }, "cannot open"},
		"the folder is a link": {func(f Folders) error { return relink(f.Specs) }, "cannot open"},
		"a pipe":               {func(f Folders) error { return repipe(f.spec(id)) }, "may not be believed"},
		"missing":              {func(f Folders) error { return os.Remove(f.spec(id)) }, "cannot open"},
		"damaged":              {func(f Folders) error { return os.WriteFile(f.spec(id), []byte("{"), 0o644) }, "damaged"},
		"newer": {func(f Folders) error {
			return os.WriteFile(f.spec(id), []byte(`{"version":9,"content":{}}`), 0o644)
		}, "newer rp-agent"},
		"a value with a newline": {func(f Folders) error {
			bad := move
			bad.Value = "x\n--noField"
			return f.WriteSpec(id, Spec{Step: bad})
		}, "control character"},
	} {
		t.Run(name, func(t *testing.T) {
			f := folders(t)
			if err := f.WriteSpec(id, Spec{Step: move, DryRun: true}); err != nil {
				t.Fatal(err)
			}
			if err := c.change(f); err != nil {
				t.Fatal(err)
			}
			got, err := f.ReadSpec(id, me)
			if c.want == "" && (err != nil || !got.DryRun || got.Step.Value != "x") {
				t.Errorf("%+v, %v", got, err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if _, err := f.ReadSpec(id, me+1); err == nil {
				t.Error("another's spec was believed")
			}
		})
	}
	if _, err := folders(t).ReadSpec("../../etc/passwd", me); err == nil {
		t.Error("a path was taken for an id")
	}
}

func relink(path string) error {
	if err := os.Rename(path, path+".real"); err != nil {
		return err
	}
	return os.Symlink(path+".real", path)
}

func repipe(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return syscall.Mkfifo(path, 0o644)
}

// TestArgvReachesTheCommand: whatever the value is, it is one argument, and no shell reads it.
func TestArgvReachesTheCommand(t *testing.T) {
	for _, value := range []string{"CHU 77", "--noField", "; rm -rf /", "$(id)", "a'b\"c", "-d", "%s\\n", "*"} {
		step := move
		step.Value = value
		argv := Spec{Step: step, DryRun: true}.Argv(rules)
		if argv[0] != rules.PHP || argv[1] != rules.Script || argv[2] != plan.ConsoleCommand || !slices.Contains(argv, "--targetFieldValue="+value) {
			t.Errorf("%q", argv)
		}
		out, err := exec.Command("printf", append([]string{"%s\\0"}, argv[3:]...)...).Output()
		if err != nil || strings.Join(argv[3:], "\x00")+"\x00" != string(out) {
			t.Errorf("%q arrives as %q, %v", argv, out, err)
		}
	}
}

func TestEnvironIsClean(t *testing.T) {
	env := Environ(func(name string) string { return "of " + name })
	want := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=of HOME", "USER=of USER", "LOGNAME=of LOGNAME"}
	if !slices.Equal(env, want) {
		t.Errorf("%q", env)
	}
}

// TestEndIsWrittenOnce, whole, and not through a link.
func TestEndIsWrittenOnce(t *testing.T) {
	f := folders(t)
	if _, ok, err := f.ReadEnd(id); ok || err != nil {
		t.Fatalf("before: %v, %v", ok, err)
	}
	env := map[string]string{"SERVICE_RESULT": "success", "EXIT_CODE": "exited", "EXIT_STATUS": "0", "INVOCATION_ID": "ab\x1b[2J"}
	end := EndFromEnv(func(name string) string { return env[name] }, time.Unix(5, 0))
	if err := f.WriteEnd(id, end); err != nil {
		t.Fatal(err)
	}
	got, ok, err := f.ReadEnd(id)
	if !ok || err != nil || !got.OK() || strings.Contains(got.Invocation, "\x1b") {
		t.Errorf("%+v, %v, %v", got, ok, err)
	}
	if err := f.WriteEnd(id, End{Result: "exit-code"}); err == nil {
		t.Error("a record was replaced")
	}
	if left, _ := filepath.Glob(f.Ends + "/.*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	other := NewID("testjob00001", 1)
	if err := os.Symlink(outside, filepath.Join(f.Ends, string(other)+".json")); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteEnd(other, end); err == nil {
		t.Error("a link was written through")
	}
	if _, err := os.Stat(outside); err == nil {
		t.Error("root wrote outside of the folder")
	}
	if err := f.WriteEnd("../x", end); err == nil {
		t.Error("a path was taken for an id")
	}
}

func TestEndInWords(t *testing.T) {
	for want, c := range map[string]struct {
		end     End
		ok, cut bool
	}{
		"it ended with status 0":              {End{Result: "success", Code: "exited", Status: "0"}, true, false},
		"it ended with status 255":            {End{Result: "exit-code", Code: "exited", Status: "255"}, false, false},
		"it was killed by TERM":               {End{Result: "success", Code: "killed", Status: "TERM"}, false, true},
		"it was killed by KILL":               {End{Result: "oom-kill", Code: "killed", Status: "KILL"}, false, true},
		"it could not be started (resources)": {End{Result: "resources"}, false, true},
		"it was dumped by SEGV":               {End{Result: "core-dump", Code: "dumped", Status: "SEGV"}, false, true},
	} {
		if c.end.String() != want || c.end.OK() != c.ok || c.end.Cut() != c.cut {
			t.Errorf("%+v: %s, ok %v, cut %v", c.end, c.end, c.end.OK(), c.end.Cut())
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	f.Add([]byte(`{"version":1,"content":{"step":{"origin":{"id":1,"name":"A"},"destination":{"id":2,"name":"B"},"no_field":true},"dry_run":true}}`))
	f.Add([]byte(`{"version":1,"content":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := parseSpec(strings.NewReader(string(data)))
		if err != nil {
			return
		}
		for _, word := range spec.Argv(rules)[3:] {
			if !strings.HasPrefix(word, "--") || strings.ContainsAny(word, "\n\x00\x1b") {
				t.Errorf("%q becomes the argument %q", data, word)
			}
		}
	})
}

func FuzzParseEnd(f *testing.F) {
	f.Add([]byte(`{"version":1,"content":{"result":"success","code":"exited","status":"0","invocation":"","time":"2026-11-22T18:00:00Z"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if end, err := parseEnd(data); err == nil && strings.Contains(end.String(), "\x1b") {
			t.Errorf("%q is shown as %q", data, end)
		}
	})
}

// TestDryRunsHaveIDsOfTheirOwn: the id of a run names its unit, so a later runner finds it.
func TestDryRunsHaveIDsOfTheirOwn(t *testing.T) {
	seen := map[ID]bool{}
	for number := range 100 {
		real, dry := NewID("testjob1", number), NewDryID("testjob1", number)
		if real.Dry() || !dry.Dry() || !real.Valid() || !dry.Valid() || seen[real] || seen[dry] {
			t.Errorf("%s, %s", real, dry)
		}
		seen[real], seen[dry] = true, true
	}
}
