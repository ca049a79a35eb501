package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestMain lets this test's own program be PHP for the stand-in.
func TestMain(m *testing.M) {
	if Is(os.Args[1:]) {
		syscall.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) // os.Exit waits a second under the race detector
	}
	os.Exit(m.Run())
}

// golden are commands, one after the other on the same data, that both consoles must answer alike.
type golden struct {
	knobs    map[string]any
	commands [][]string
	failing  bool // PHP tells the trace of an exception on standard error: only that may differ
}

// ticket is the runbook's command with more options.
func ticket(more ...string) []string {
	return append([]string{CommandMigrate, "-o", "4537", "-d", "5644", "-f", Slug, "-t", "CHU 77"}, more...)
}

func migration(args ...string) []string { return append([]string{CommandMigrate}, args...) }

var goldens = map[string]golden{
	"dry, then real, then dry": {nil, [][]string{ticket("--dry-run"), ticket(), ticket("--dry-run"), ticket()}, false},
	"with accommodations": {nil, [][]string{
		ticket("--withAccommodations", "--dry-run"), ticket("--withAccommodations"), ticket("--withAccommodations", "--dry-run")}, false},
	"with deleted": {nil, [][]string{ticket("--withDeleted", "--dry-run"), ticket("--withDeleted", "--withAccommodations")}, false},
	"no field":     {nil, [][]string{migration("-o4537", "-d4960", "--noField", "--withAccommodations"), migration("-o4960", "-d4537", "--noField")}, false},
	"the whole ticket": {nil, [][]string{
		ticket(), migration("-o", "4537", "-d", "4960", "-f", Slug, "-t", "CPH"),
		migration("-o", "4537", "-d", "5634", "-f", Slug, "-t", "DAHAR"), migration("-o", "4537", "-d", "5645", "-f", Slug, "-t", "TEH"),
		migration("-o", "4960", "-d", "4537", "-f", Slug, "-t", "CHU 75"), migration("-o", "4960", "-d", "5644", "-f", Slug, "-t", "CHU 77"),
		migration("-o", "4960", "-d", "5634", "-f", Slug, "-t", "DAHAR"), migration("-o", "4960", "-d", "5645", "-f", Slug, "-t", "TEH")}, false},
	"noise":       {map[string]any{"noise": true, "invalid_utf8": true, "volume": 250001, "endless": 350, "decorated": true}, [][]string{ticket("--withAccommodations"), ticket("--dry-run")}, false},
	"drift":       {map[string]any{"drift_people": 3}, [][]string{ticket("--dry-run"), ticket(), ticket("--dry-run")}, false},
	"other batch": {map[string]any{"batch": 7, "fail_at": 16}, [][]string{ticket()}, true},
	"an exception, then the rest": {map[string]any{"fail_at": 12}, [][]string{
		ticket("--withAccommodations"), ticket("--withAccommodations", "--dry-run"), ticket("--withAccommodations")}, true},
	"a silent end":   {map[string]any{"exit_at": 23, "exit_status": 7}, [][]string{ticket(), ticket("--dry-run")}, false},
	"refused values": {map[string]any{"decorated": true}, refusedCommands, false},
	"not understood": {nil, misread, true},
	"values like options": {nil, [][]string{
		{CommandSetField, "1100", Slug, "--noField"}, {CommandSetField, "1101", Slug, "; rm -rf /"}, {CommandSetField, "1102", Slug, "a\nb"},
		{CommandSetField, "1103", Slug, "--"}, {CommandSetField, "1104", Slug, "-o4960"}, {CommandSetField, "1105", Slug, "=x"},
		tied("--noField"), tied("; rm -rf /"), tied("a\nb"), tied("--"), tied("-o4960"), tied("=x"), tied("--help"), tied("--no-ansi")}, false},
}

// refusedCommands are understood and refused.
var refusedCommands = [][]string{
	ticket("--noField"), migration("--noField", "-f", Slug, "-o", "1", "-d", "2"), migration("-o", "4537", "-d", "5644"),
	migration("-o", "4537", "-d", "5644", "-f", Slug), migration("-o", "4537", "-d", "4537", "--noField"),
	migration("-o", "9", "-d", "4537", "--noField"), migration("-o", "4537", "-d", "9", "--noField"),
	migration("-o", "x", "-d", "4537", "--noField"), migration("-d", "4537", "--noField"),
	migration("-o", "4537", "-d", "5644", "-f", "autre", "-t", "x"), migration("-o=4537", "-d", "5644", "--noField"),
}

// misread are no commands at all; a value that begins with a dash and is not tied to its option is one of them.
var misread = [][]string{
	migration("--nofield"), migration("--withDeleted=1"), migration("-t", "--noField"), migration("-x"), migration("-o"),
	migration("--targetFieldValue", "-1"), migration("more"), migration("--", "more"),
	migration("-o", "4537", "-d", "5644", "-f", Slug, "--targetFieldValue=", "--noField"),
}

// tied is how a plan's step is run: the value in one argument with its option (proto/plan).
func tied(value string) []string {
	return migration("--originOrganization=4537", "--destinationOrganization=5644", "--targetFieldSlug="+Slug, "--targetFieldValue="+value)
}

func init() {
	for name := range styles {
		for worst, knobs := range map[string]map[string]any{
			name: {"style": name}, name + ", wrapped and in colour": {"style": name, "decorated": true, "wrap": 14},
		} {
			goldens[worst] = golden{knobs, [][]string{ticket("--withAccommodations", "--dry-run")}, false}
		}
	}
}

// TestBothConsolesAnswerAlike runs every case with PHP and with the stand-in: same bytes on
// standard output and error, same status, same effects.
func TestBothConsolesAnswerAlike(t *testing.T) {
	needPHP(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range goldens {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, got := deploy(t, "php", c.knobs), deploy(t, self, c.knobs)
			for _, argv := range c.commands {
				want, got := want.run(t, argv...), got.run(t, argv...)
				if want.stdout != got.stdout || want.status != got.status || want.stderr != got.stderr && !c.failing {
					t.Errorf("%q\nPHP: %+v\nGo:  %+v", argv, want, got)
				}
			}
			if want, got := want.effects(t), got.effects(t); !reflect.DeepEqual(want, got) {
				t.Errorf("effects\nPHP: %+v\nGo:  %+v", want, got)
			}
		})
	}
}

// needPHP skips the test where the real console cannot run; inside a host of the lab it can.
func needPHP(t *testing.T) {
	t.Helper()
	probe := `new PDO("sqlite::memory:"); require "/usr/share/php/Symfony/Component/Messenger/autoload.php";`
	out, err := exec.CommandContext(t.Context(), "php", "-r", probe).CombinedOutput()
	if err != nil && os.Getenv("RPCTL_LAB_HOST") == "" {
		t.Skipf("no PHP with SQLite and Debian's Symfony packages here (`make lab-prepare` installs them): %v: %.200s", err, out)
	}
}

// application of PHP; inside a host of the lab it is the one deployed there.
func phpApplication() string {
	if os.Getenv("RPCTL_LAB_HOST") != "" {
		return "/home/app/www/current"
	}
	return "../../symfony"
}

var databases atomic.Int64

// ownDatabase is the application's setting for PHP: inside a host of the lab one of that host's MariaDB, elsewhere
// nothing, which is SQLite. So both answer as the stand-in does, which knows neither.
func ownDatabase(t *testing.T) []byte {
	t.Helper()
	if os.Getenv("RPCTL_LAB_MARIADB") == "" {
		return nil
	}
	name := fmt.Sprintf("golden%d", databases.Add(1))
	// What these tests wrote need not be there after a power cut.
	const fast = "SET GLOBAL innodb_flush_log_at_trx_commit = 0; "
	if out, err := exec.CommandContext(t.Context(), "mariadb", "-e", fast+"CREATE DATABASE "+name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return fmt.Appendf(nil, "DATABASE_URL=\"mysql://root@localhost/%s?unix_socket=/run/mysqld/mysqld.sock\"\n", name)
}

// deployed is an application with its seed, and who runs its console.
type deployed struct{ php, www string }

func deploy(t *testing.T, php string, knobs map[string]any) deployed {
	t.Helper()
	d := deployed{php, t.TempDir()}
	for _, folder := range []string{"bin", "src"} {
		if err := os.CopyFS(filepath.Join(d.www, "releases/1", folder), os.DirFS(filepath.Join(phpApplication(), folder))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(d.www, "shared/var"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.www, "shared/.env.local"), ownDatabase(t), 0o644); err != nil {
		t.Fatal(err)
	}
	seed := filepath.Join(d.www, "seed.json")
	if err := os.WriteFile(seed, encodeSeed(t, Runbook()), 0o644); err != nil {
		t.Fatal(err)
	}
	d.run(t, CommandSeed, seed)
	d.turn(t, knobs)
	return d
}

func (d deployed) turn(t *testing.T, knobs map[string]any) {
	t.Helper()
	if knobs == nil {
		return
	}
	text, err := json.Marshal(knobs)
	if err == nil {
		err = os.WriteFile(filepath.Join(d.www, "shared/migration.json"), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

type answer struct {
	stdout, stderr string
	status         int
}

func (d deployed) run(t *testing.T, argv ...string) answer {
	t.Helper()
	if argv[0] == CommandSetField {
		argv = slices.Insert(slices.Clone(argv), 1, "--")
	}
	command := exec.CommandContext(t.Context(), d.php, append([]string{filepath.Join(d.www, "releases/1/bin/console")}, argv...)...)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return answer{out.String(), errs.String(), command.ProcessState.ExitCode()}
}

// effects are what happened, without what no two runs have in common.
func (d deployed) effects(t *testing.T) Effects {
	t.Helper()
	var told Effects
	if err := json.Unmarshal([]byte(d.run(t, CommandEffects).stdout), &told); err != nil {
		t.Fatal(err)
	}
	number := map[string]string{}
	for i := range told.Runs {
		number[told.Runs[i].Run] = string(rune('a' + i))
		told.Runs[i].Run, told.Runs[i].At = number[told.Runs[i].Run], ""
	}
	for i := range told.Effects {
		told.Effects[i].Run, told.Effects[i].At = number[told.Effects[i].Run], ""
	}
	if len(told.Effects) == 0 {
		told.Effects = nil
	}
	return told
}
