package systemd

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

func preprod() proto.HostConfig {
	return proto.HostConfig{
		Environment: "preprod",
		Application: proto.Application{Path: "/home/app/www", User: "app"},
		Workers:     []proto.UnitPattern{"messenger_worker_async@*.service", "messenger_worker_dmp@*.service", "import.service"},
		Look:        []string{"rpctl"}, Act: []string{"rpctl"},
	}
}

var preprodTemplates = []string{"messenger_worker_async@.service", "import.service"}

func TestFilesAreInInstallOrderAndCoveredByPaths(t *testing.T) {
	files, err := Files(preprod(), preprodTemplates)
	if err != nil {
		t.Fatal(err)
	}
	if files[0].Path != SysusersPath || files[1].Path != TmpfilesPath {
		t.Errorf("users and folders must come first, got %s, %s", files[0].Path, files[1].Path)
	}
	known := strings.Join(Paths(), "\n")
	for _, file := range files {
		if !strings.Contains(known, file.Path) {
			t.Errorf("%s is installed but not known to an uninstall", file.Path)
		}
		if file.Mode != 0o644 || file.Owner != "root" || file.Group != "root" {
			t.Errorf("%s is %v %s:%s", file.Path, file.Mode, file.Owner, file.Group)
		}
	}
	if len(files) != len(Paths()) {
		t.Errorf("%d files, %d paths", len(files), len(Paths()))
	}
}

func TestCheckRefusesWhatWouldMeanSomethingElse(t *testing.T) {
	for name, change := range map[string]func(*proto.HostConfig){
		"no environment":       func(c *proto.HostConfig) { c.Environment = "" },
		"newline":              func(c *proto.HostConfig) { c.Environment = "a\nb" },
		"relative path":        func(c *proto.HostConfig) { c.Application.Path = "home/app" },
		"all homes":            func(c *proto.HostConfig) { c.Application.Path = "/home" },
		"dots":                 func(c *proto.HostConfig) { c.Application.Path = "/home/../etc" },
		"trailing slash":       func(c *proto.HostConfig) { c.Application.Path = "/home/app/" },
		"second bind source":   func(c *proto.HostConfig) { c.Application.Path = "/home/app:/etc" },
		"second path":          func(c *proto.HostConfig) { c.Application.Path = "/home/app /etc" },
		"specifier":            func(c *proto.HostConfig) { c.Application.Path = "/home/%u" },
		"directive in a path":  func(c *proto.HostConfig) { c.Application.Path = "/home/app\nUser=root" },
		"root":                 func(c *proto.HostConfig) { c.Application.User = "root" },
		"the agent itself":     func(c *proto.HostConfig) { c.Application.User = "rp-agent" },
		"uid":                  func(c *proto.HostConfig) { c.Application.User = "0" },
		"directive in a user":  func(c *proto.HostConfig) { c.Application.User = "app\nUser=root" },
		"no workers":           func(c *proto.HostConfig) { c.Workers = nil },
		"any unit":             func(c *proto.HostConfig) { c.Workers = []proto.UnitPattern{"*.service"} },
		"the agent's own unit": func(c *proto.HostConfig) { c.Workers = []proto.UnitPattern{"rp-agent-console@*.service"} },
		"quote in a pattern":   func(c *proto.HostConfig) { c.Workers = []proto.UnitPattern{`x", verbs: [] }, {@*.service`} },
		"nobody may look":      func(c *proto.HostConfig) { c.Look = nil },
		"console of a shell": func(c *proto.HostConfig) {
			c.Console = &proto.Console{PHP: "php", Script: "bin/console", SimulationHours: 1}
		},
		"bad group": func(c *proto.HostConfig) { c.Act = []string{"rp ctl"} },
	} {
		cfg := preprod()
		change(&cfg)
		if files, err := Files(cfg, preprodTemplates); err == nil || files != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRuleListsOnlyWhatTheHostHas(t *testing.T) {
	rule := string(fileNamed(t, RulePath))
	for want, present := range map[string]bool{
		`{ before: "messenger_worker_async@", after: ".service", instance: worker, verbs: workerVerbs }`: true,
		`{ before: "import", after: ".service", instance: null, verbs: workerVerbs }`:                    true,
		`{ before: "rp-agent-run@", after: ".service", instance: job, verbs: jobVerbs }`:                 true,
		`{ before: "rp-agent-console@", after: ".service", instance: job, verbs: jobVerbs }`:             true,
		`{ before: "rp-agent-dryrun@", after: ".service", instance: job, verbs: jobVerbs }`:              true,
		`messenger_worker_dmp`: false,
	} {
		if strings.Contains(rule, want) != present {
			t.Errorf("rule contains %q: want %v\n%s", want, present, rule)
		}
	}
}

func TestLiteralCannotLeaveItsString(t *testing.T) {
	for _, hostile := range []string{`"`, `\`, "\n", "\u2028", `</script>`, `"+evil()+"`} {
		quoted := literal(hostile)
		if inner := quoted[1 : len(quoted)-1]; regexp.MustCompile(`(^|[^\\])(\\\\)*"|[\n\x{2028}]`).MatchString(inner) {
			t.Errorf("%q became %s", hostile, quoted)
		}
	}
}

func TestDropInsShowTheApplicationAndNothingElse(t *testing.T) {
	outside := preprod().Application
	outside.Path = "/srv/app/www"
	for _, c := range []struct {
		unit string
		app  proto.Application
		want []string
		not  []string
	}{
		{"rp-agent@.service", preprod().Application, []string{"\nBindReadOnlyPaths=-/home/app/www\n"}, []string{"User=", "ReadWritePaths="}},
		{"rp-agent-dryrun@.service", preprod().Application, []string{"\nUser=app\n", "\nReadWritePaths=-/home/app/www/shared\n"}, nil},
		{"rp-agent@.service", outside, nil, []string{"\nBindReadOnlyPaths="}},
		{"rp-agent-console@.service", preprod().Application,
			[]string{"\nUser=app\n", "\nBindReadOnlyPaths=-/home/app/www\n", "\nReadWritePaths=-/home/app/www/shared\n"}, nil},
	} {
		got := string(renderDropIn(c.unit, c.app))
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", c.unit, want, got)
			}
		}
		for _, not := range c.not {
			if strings.Contains(got, not) {
				t.Errorf("%s: %q in\n%s", c.unit, not, got)
			}
		}
	}
}

// A reason stands above the directive or the few that belong together.
func TestEveryDirectiveHasAReason(t *testing.T) {
	directive := regexp.MustCompile(`^[A-Z][A-Za-z]+=`)
	for _, unit := range Units {
		since := 0
		for line := range strings.Lines(string(unitFile(unit))) {
			switch {
			case strings.HasPrefix(line, "#"), strings.HasPrefix(line, "["):
				since = 0
			case directive.MatchString(line):
				if since++; since > 4 {
					t.Errorf("%s: no reason near %s", unit, line)
				}
			}
		}
	}
}

func TestSystemdAcceptsTheUnits(t *testing.T) {
	verify(t, "verify", "--man=no", "--recursive-errors=no")
}

// The threshold is exposure 1.5 of 10 (systemd-analyze(1)): what the design measured as possible with PHP.
func TestExposureIsAtMostOneAndAHalf(t *testing.T) {
	verify(t, "security", "--threshold=15", "--offline=yes", "--no-pager")
}

// verify runs systemd-analyze on the services as an installed host has them, and fails on any word of complaint.
func verify(t *testing.T, args ...string) {
	t.Helper()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	dir := t.TempDir()
	files, err := Files(preprod(), preprodTemplates)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name, ok := strings.CutPrefix(file.Path, UnitDir+"/"); ok {
			// The agent need not be installed where the test runs.
			content := bytes.ReplaceAll(file.Content, []byte(Binary), []byte("/bin/true"))
			writeFile(t, filepath.Join(dir, name), content)
		}
	}
	for _, unit := range Units {
		if unit == Socket || unit == Slice && args[0] == "security" {
			continue
		}
		instance := strings.Replace(unit, "@.", "@abcdefgh.", 1)
		cmd := exec.Command(analyze, append(args, filepath.Join(dir, instance))...)
		cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":/usr/lib/systemd/system")
		writeFile(t, filepath.Join(dir, instance), mustRead(t, filepath.Join(dir, unit)))
		out, err := cmd.CombinedOutput()
		if err != nil || (args[0] == "verify" && len(bytes.TrimSpace(out)) > 0) {
			t.Errorf("systemd-analyze %s %s: %v\n%s", args[0], unit, err, out)
		}
	}
}

func fileNamed(t *testing.T, name string) []byte {
	t.Helper()
	files, err := Files(preprod(), preprodTemplates)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if file.Path == name {
			return file.Content
		}
	}
	t.Fatalf("no file %s", name)
	return nil
}

func writeFile(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestEveryServiceIsInTheSlice, and each has bounds of its own.
func TestEveryServiceIsInTheSlice(t *testing.T) {
	for _, unit := range Units {
		if !hasDropIn(unit) {
			continue
		}
		for _, want := range []string{"\nSlice=" + Slice + "\n", "\nMemoryMax=", "\nTasksMax="} {
			if !bytes.Contains(unitFile(unit), []byte(want)) {
				t.Errorf("%s: no %q", unit, want)
			}
		}
	}
	for _, want := range []string{"\nMemoryMax=", "\nTasksMax=", "\nCPUWeight="} {
		if !bytes.Contains(unitFile(Slice), []byte(want)) {
			t.Errorf("%s: no %q", Slice, want)
		}
	}
}

// TestOnlyADryRunHasADeadline: a command that changes data is ended by no clock.
func TestOnlyADryRunHasADeadline(t *testing.T) {
	for unit, want := range map[string]bool{consoleUnit: false, dryRunUnit: true, "rp-agent-run@.service": false} {
		if got := bytes.Contains(unitFile(unit), []byte("\nRuntimeMaxSec=")); got != want {
			t.Errorf("%s: a deadline %t, want %t", unit, got, want)
		}
	}
	for unit, want := range map[string]string{consoleUnit: "rp-agent console %i", dryRunUnit: "rp-agent console --dry-run %i"} {
		if !bytes.Contains(unitFile(unit), []byte("\nExecStart=/usr/local/bin/"+want+"\n")) {
			t.Errorf("%s does not run %s", unit, want)
		}
	}
	// What is not a limit is the same for both.
	dry, real := string(unitFile(dryRunUnit)), string(unitFile(consoleUnit))
	for line := range strings.Lines(real) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "Description=") && !strings.HasPrefix(line, "LimitFSIZE=") && !strings.HasPrefix(line, "ExecStart=") && !strings.Contains(dry, line) {
			t.Errorf("a dry run lacks %q", line)
		}
	}
}
