package setup

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/agent/internal/config"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// ruledConfig is a prod whose every rule has a value that can become looser and tighter.
func ruledConfig() proto.HostConfig {
	cfg := preprod().Config
	cfg.Environment = "prod"
	cfg.Look = []string{"rpctl", "support"}
	cfg.Console = &proto.Console{
		PHP: "/usr/bin/php", Script: "bin/console", After: "preprod", Tolerance: 2, SimulationHours: 24, ApprovalDays: 3, ReceiptDays: 3, RequireSK: true,
	}
	return cfg
}

func lines(all []proto.SetupDifference) string {
	var out []string
	for _, difference := range all {
		out = append(out, strings.TrimSpace(difference.String()+" "+string(difference.Effect)))
	}
	return strings.Join(out, "\n")
}

func TestRuleDifferencesSayWhatLoosens(t *testing.T) {
	for name, c := range map[string]struct {
		change func(cfg *proto.HostConfig)
		want   string
	}{
		"nothing":                {func(*proto.HostConfig) {}, ""},
		"another order":          {func(cfg *proto.HostConfig) { slices.Reverse(cfg.Workers) }, ""},
		"environment":            {func(cfg *proto.HostConfig) { cfg.Environment = "preprod" }, "environment: prod -> preprod loosens"},
		"path":                   {func(cfg *proto.HostConfig) { cfg.Application.Path = "/srv/x" }, "application.path: /home/app/www -> /srv/x loosens"},
		"user":                   {func(cfg *proto.HostConfig) { cfg.Application.User = "web" }, "application.user: app -> web loosens"},
		"worker added":           {func(cfg *proto.HostConfig) { cfg.Workers = append(cfg.Workers, "import.service") }, "+ workers: import.service loosens"},
		"worker removed":         {func(cfg *proto.HostConfig) { cfg.Workers = cfg.Workers[1:] }, "- workers: messenger_worker_async@*.service"},
		"worker exchanged":       {func(cfg *proto.HostConfig) { cfg.Workers[0] = "import.service" }, "- workers: messenger_worker_async@*.service\n+ workers: import.service loosens"},
		"group may act":          {func(cfg *proto.HostConfig) { cfg.Act = append(cfg.Act, "dev") }, "+ access.act: dev loosens"},
		"another group may act":  {func(cfg *proto.HostConfig) { cfg.Act = []string{"dev"} }, "access.act: rpctl -> dev loosens"},
		"group may not look":     {func(cfg *proto.HostConfig) { cfg.Look = cfg.Look[:1] }, "- access.look: support"},
		"php":                    {func(cfg *proto.HostConfig) { cfg.Console.PHP = "/home/app/php" }, "console.php: /usr/bin/php -> /home/app/php loosens"},
		"script":                 {func(cfg *proto.HostConfig) { cfg.Console.Script = "x" }, "console.script: bin/console -> x loosens"},
		"after removed":          {func(cfg *proto.HostConfig) { cfg.Console.After = "" }, "- console.after: preprod loosens"},
		"after another":          {func(cfg *proto.HostConfig) { cfg.Console.After = "test" }, "console.after: preprod -> test loosens"},
		"self_approval":          {func(cfg *proto.HostConfig) { cfg.Console.SelfApproval = true }, "console.self_approval: false -> true loosens"},
		"break_glass":            {func(cfg *proto.HostConfig) { cfg.Console.BreakGlass = true }, "console.break_glass: false -> true loosens"},
		"tolerance higher":       {func(cfg *proto.HostConfig) { cfg.Console.Tolerance = 10 }, "console.tolerance: 2 -> 10 loosens"},
		"tolerance gone":         {func(cfg *proto.HostConfig) { cfg.Console.Tolerance = 0 }, "console.tolerance: 2 -> 0"},
		"simulation_hours":       {func(cfg *proto.HostConfig) { cfg.Console.SimulationHours = 168 }, "console.simulation_hours: 24 -> 168 loosens"},
		"simulation_hours lower": {func(cfg *proto.HostConfig) { cfg.Console.SimulationHours = 8 }, "console.simulation_hours: 24 -> 8"},
		"approval_days":          {func(cfg *proto.HostConfig) { cfg.Console.ApprovalDays = 31 }, "console.approval_days: 3 -> 31 loosens"},
		"receipt_days":           {func(cfg *proto.HostConfig) { cfg.Console.ReceiptDays = 30 }, "console.receipt_days: 3 -> 30 loosens"},
		"require_sk":             {func(cfg *proto.HostConfig) { cfg.Console.RequireSK = false }, "console.require_sk: true -> false loosens"},
		"no console any more":    {func(cfg *proto.HostConfig) { cfg.Console = nil }, "console.after: preprod"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := ruledConfig()
			cfg.Workers = slices.Clone(cfg.Workers)
			c.change(&cfg)
			all, err := ruleDifferences(config.Render(ruledConfig()), true, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if name == "no console any more" {
				if got := lines(all); !strings.Contains(got, c.want) || strings.Contains(got, "loosens") {
					t.Errorf("got\n%s", got)
				}
				return
			}
			if got := lines(all); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			// The same change to a host without rules is new, and loosens nothing.
			if all, err = ruleDifferences(nil, false, cfg); err != nil || len(all) < 5 || strings.Contains(lines(all), "loosens") {
				t.Errorf("on a new host:\n%s, %v", lines(all), err)
			}
		})
	}
	comes := ruledConfig()
	comes.Console = nil
	if all, err := ruleDifferences(config.Render(comes), true, ruledConfig()); err != nil || !strings.Contains(lines(all), "+ console.php: /usr/bin/php loosens") {
		t.Errorf("a console that comes:\n%s, %v", lines(all), err)
	}
	if all, err := ruleDifferences([]byte("version = 9\n"), true, ruledConfig()); err != nil || !strings.HasSuffix(lines(all), "loosens") {
		t.Errorf("a file that is not understood:\n%s, %v", lines(all), err)
	}
}

// TestEveryKeyOfTheConfigurationIsCompared changes each field by reflection: a new one must not be forgotten.
func TestEveryKeyOfTheConfigurationIsCompared(t *testing.T) {
	var walk func(path string, pick func(*proto.HostConfig) reflect.Value)
	walk = func(path string, pick func(*proto.HostConfig) reflect.Value) {
		cfg := ruledConfig()
		value := pick(&cfg)
		if value.Kind() == reflect.Struct {
			for i := range value.NumField() {
				walk(path+"."+value.Type().Field(i).Name, func(c *proto.HostConfig) reflect.Value {
					field := pick(c).Field(i)
					if field.Kind() == reflect.Pointer {
						return field.Elem()
					}
					return field
				})
			}
			return
		}
		switch value.Kind() {
		case reflect.String:
			value.SetString(value.String() + "x")
		case reflect.Bool:
			value.SetBool(!value.Bool())
		case reflect.Int, reflect.Int64:
			value.SetInt(value.Int() + 1)
		case reflect.Slice:
			value.Set(reflect.AppendSlice(reflect.MakeSlice(value.Type(), 0, 0), value.Slice(0, 1)))
			value.Index(0).SetString("other")
		default:
			t.Fatalf("%s has a kind that this test does not know: %s", path, value.Kind())
		}
		before := ruledConfig()
		is, err := values(before)
		if err != nil {
			t.Fatal(err)
		}
		shall, err := values(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if reflect.DeepEqual(is, shall) {
			t.Errorf("a change of %s is not seen", path)
		}
		for key := range shall {
			if _, known := rules[key]; !known {
				t.Errorf("%s is not in the table of rules: say when it loosens", key)
			}
		}
	}
	walk("HostConfig", func(cfg *proto.HostConfig) reflect.Value { return reflect.ValueOf(cfg).Elem() })
}

// line is a line of allowed_signers with a key that the number decides.
func line(t *testing.T, name, options string, number byte) string {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = number
	public, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(seed).Public())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(name+" "+options) + " " + string(ssh.MarshalAuthorizedKey(public))
}

func TestKeyDifferencesSayWhatLoosens(t *testing.T) {
	const both, approval = `namespaces="approval@rpctl,apply@rpctl"`, `namespaces="approval@rpctl"`
	claire := line(t, "claire", both, 1)
	for name, c := range map[string]struct {
		old, new string
		want     []string // of each difference; an empty one is none
	}{
		"nothing":                       {claire, "# a comment\n" + claire, nil},
		"new person":                    {claire, claire + line(t, "bob", both, 2), []string{"+ approver bob: ssh-ed25519 SHA256:|loosens"}},
		"first person":                  {"", claire, []string{"+ approver claire: |loosens"}},
		"person removed":                {claire + line(t, "bob", both, 2), claire, []string{"- approver bob: |"}},
		"another key":                   {claire, line(t, "claire", both, 2), []string{"- approver claire: |", "+ approver claire: |loosens"}},
		"another name":                  {claire, line(t, "bob", both, 1), []string{"- approver claire: |", "+ approver bob: |loosens"}},
		"more purposes":                 {line(t, "claire", approval, 1), claire, []string{"approver claire: |loosens"}},
		"any purpose":                   {claire, line(t, "claire", "", 1), []string{"for any purpose|loosens"}},
		"fewer purposes":                {claire, line(t, "claire", approval, 1), []string{"approver claire: |"}},
		"valid for longer":              {line(t, "claire", `valid-before="20260101Z"`, 1), line(t, "claire", `valid-before="20990101Z"`, 1), []string{"before 2099|loosens"}},
		"valid for ever":                {line(t, "claire", `valid-before="20260101Z"`, 1), line(t, "claire", "", 1), []string{"approver claire: |loosens"}},
		"valid earlier":                 {line(t, "claire", `valid-after="20260101Z"`, 1), line(t, "claire", `valid-after="20250101Z"`, 1), []string{"after 2025|loosens"}},
		"valid for less":                {line(t, "claire", `valid-before="20990101Z"`, 1), line(t, "claire", `valid-before="20260101Z"`, 1), []string{"before 2026|"}},
		"a line twice":                  {claire, claire + claire, []string{"+ approver claire: |loosens"}},
		"order of a key with two names": {claire + line(t, "bob", both, 1), line(t, "bob", both, 1) + claire, []string{"in another order|loosens"}},
		"order":                         {claire + line(t, "bob", both, 2), line(t, "bob", both, 2) + claire, nil},
		"old file broken":               {"* nonsense\n", claire, []string{"not understood by this agent|loosens"}},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := keyDifferences("approver", []byte(c.old), []byte(c.new), true)
			if err != nil || len(all) != len(c.want) {
				t.Fatalf("got\n%s, %v", lines(all), err)
			}
			for i, want := range c.want {
				says, effect, _ := strings.Cut(want, "|")
				if !strings.Contains(all[i].String(), says) || string(all[i].Effect) != effect {
					t.Errorf("got %s (%s), want %s", all[i], all[i].Effect, want)
				}
			}
			if all, err = keyDifferences("approver", []byte(c.old), []byte(c.new), false); err != nil || strings.Contains(lines(all), "loosens") {
				t.Errorf("on a host without rules:\n%s, %v", lines(all), err)
			}
		})
	}
}

func TestCompareVersions(t *testing.T) {
	inOrder := []string{
		"v0.9", "v1.0.0-rc1", "v1.0", "v1.0-1-gabcdef0", "v1.0-12-g0000000", "1.1.0-0.20261129103000-abcdef012345", "v1.1", "v1.1.1", "v1.2-dirty", "v1.10",
		"v2.0.0-3-gabcdef0-dirty",
	}
	for i, older := range inOrder {
		for j, newer := range inOrder {
			order, known := compareVersions(older, newer)
			if !known || (order < 0) != (i < j) || (order > 0) != (i > j) {
				t.Errorf("%s and %s: %d, %v", older, newer, order, known)
			}
		}
	}
	for _, pair := range [][2]string{
		{"devel", "v1.0"}, {"v1.0", "devel-abcdef012345"}, {"abcdef0", "1234567"}, {"1234567", "7654321"}, {"unknown", "v2"}, {"v1.0-3-gabcdef0", "v1.0-3-g0000000"},
		{"v1.0-rc1", "v1.0-rc2"}, {"", "v1"}, {"v1.0", "v99999999999999999999.0"},
	} {
		if order, known := compareVersions(pair[0], pair[1]); known {
			t.Errorf("%q: %d is known", pair, order)
		}
	}
}

func TestDowngradeIsSaid(t *testing.T) {
	for name, c := range map[string]struct{ old, new, effect string }{
		"newer":                   {"agent v1.2\nold", "v1.3", ""},
		"older":                   {"agent v1.2-3-gabcdef0\nold", "v1.2", "downgrades"},
		"the same, built again":   {"agent v1.2\nold", "v1.2", ""},
		"not known":               {"agent devel\nold", "v1.2", ""},
		"does not tell a version": {"nonsense", "v1.2", ""},
	} {
		f := newFakeHost(t)
		f.install(preprod())
		f.write(systemd.Binary, c.old)
		f.must(os.Chmod(f.path(systemd.Binary), 0o755))
		f.Agent, f.Version = binaryOf("another agent"), c.new
		got := difference(t, f, preprod(), systemd.Binary)
		if len(got) != 1 || string(got[0].Effect) != c.effect || strings.Count(got[0].String(), "sha256 ") != 2 || !strings.HasPrefix(got[0].New, c.new+" (") {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A binary that others could have written is not started to ask for its version.
func TestForeignBinaryIsNotStartedForItsVersion(t *testing.T) {
	f := newFakeHost(t)
	f.install(preprod())
	f.write(systemd.Binary, "agent v9\nold")
	f.must(os.Chmod(f.path(systemd.Binary), 0o777))
	f.Agent, f.ran = binaryOf("another agent"), nil
	if got := difference(t, f, preprod(), systemd.Binary); len(got) != 1 || !strings.HasPrefix(got[0].Old, "unknown (sha256 ") {
		t.Errorf("%v", got)
	}
	if slices.Contains(f.ran, systemd.Binary+" version") {
		t.Error("it was started as root")
	}
}

// difference is what a plan says of one target.
func difference(t *testing.T, f *fakeHost, spec proto.SetupSpec, target string) []proto.SetupDifference {
	t.Helper()
	plan, err := New(t.Context(), f.Host, spec)
	f.must(err)
	if !plan.Report().Classified {
		t.Error("the report does not say that it has the differences")
	}
	for _, change := range plan.Report().Changes {
		if change.Target == target {
			return change.Differences
		}
	}
	t.Fatalf("no change of %s", target)
	return nil
}

func TestNewOperatorsAndKeysLoosenWhereThereAreRules(t *testing.T) {
	f := newFakeHost(t)
	spec := preprod()
	spec.Operators = []string{"alice"}
	if got := difference(t, f, spec, "alice to group rpctl"); len(got) != 1 || got[0].Effect != "" {
		t.Errorf("on a new host: %v", got)
	}
	f.install(spec)
	spec.Operators = []string{"alice", "app"}
	spec.ForcedKey = forced().ForcedKey
	for _, target := range []string{"app to group rpctl", "a forced-command key to ~app/.ssh/authorized_keys"} {
		if got := difference(t, f, spec, target); len(got) != 1 || got[0].Effect != proto.EffectLoosens || got[0].New == "" {
			t.Errorf("%s: %v", target, got)
		}
	}
	spec.Signers = &proto.SetupSigners{Approvers: line(t, "claire", "", 1)}
	if got := difference(t, f, spec, config.ApproversPath); len(got) != 1 || got[0].Effect != proto.EffectLoosens {
		t.Errorf("%v", got)
	}
}

// TestNewKeyAfterAnUninstallLoosens: the files of keys stay on the host, so another approver is no part of a first install.
func TestNewKeyAfterAnUninstallLoosens(t *testing.T) {
	f := newFakeHost(t)
	spec := preprod()
	spec.Signers = &proto.SetupSigners{Approvers: line(t, "claire", "", 1)}
	f.install(spec)
	f.must(f.uninstall())
	spec.Signers.Approvers += line(t, "mallory", "", 2)
	if got := difference(t, f, spec, config.ApproversPath); len(got) != 1 || got[0].Effect != proto.EffectLoosens {
		t.Errorf("%v", got)
	}
}

func TestChangedUnitIsShownByItsLines(t *testing.T) {
	f := newFakeHost(t)
	f.install(preprod())
	unit := systemd.UnitDir + "/rp-agent@.service"
	f.write(unit, strings.Replace(f.read(unit), "[Service]\n", "[Service]\nEnvironment=APP_SECRET=hush\nAmbientCapabilities=CAP_SYS_ADMIN\n", 1))
	plan, err := New(t.Context(), f.Host, preprod())
	f.must(err)
	for _, change := range plan.Report().Changes {
		if change.Target == unit {
			got := strings.Join(change.Text, "\n")
			if !strings.Contains(got, "-AmbientCapabilities=CAP_SYS_ADMIN") || strings.Contains(got, "hush") || len(change.Text) != 2 {
				t.Errorf("shown as\n%s", got)
			}
			return
		}
	}
	t.Error("the unit is not changed")
}

func TestTextDifferenceIsBounded(t *testing.T) {
	var long, other strings.Builder
	for i := range 400 {
		fmt.Fprintf(&long, "a%d\n", i)
		fmt.Fprintf(&other, "b%d\n", i)
	}
	if got := textDifference(long.String(), other.String()); len(got) != proto.MaxSetupText {
		t.Errorf("%d lines", len(got))
	}
	if got := textDifference(strings.Repeat(long.String(), 3), other.String()); len(got) != 1 || !strings.Contains(got[0], "too many") {
		t.Errorf("%q", got)
	}
	if got := textDifference("a\nb\nc\nd\n", "a\nx\nc\ny\nd\n"); !slices.Equal(got, []string{"-b", "+x", "+y"}) {
		t.Errorf("%q", got)
	}
}
