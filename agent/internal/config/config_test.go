package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

const good = `version = 1
environment = "preprod"
[application]
path = "/home/app/www"
user = "app"
[workers]
units = [
  "messenger_worker_async@*.service",
  "messenger_worker_dmp@*.service",
]
[access]
look = ["rpctl", "adm"]
act = ["rpctl"]
`

func wanted() proto.HostConfig {
	return proto.HostConfig{
		Environment: "preprod",
		Application: proto.Application{Path: "/home/app/www", User: "app"},
		Workers:     []proto.UnitPattern{"messenger_worker_async@*.service", "messenger_worker_dmp@*.service"},
		Look:        []string{"rpctl", "adm"},
		Act:         []string{"rpctl"},
	}
}

func TestParse(t *testing.T) {
	got, err := Parse("agent.toml", []byte(good))
	if err != nil || !reflect.DeepEqual(got, wanted()) {
		t.Errorf("got %+v, %v; want %+v", got, err, wanted())
	}
}

func TestAccessByDefault(t *testing.T) {
	want := wanted()
	want.Look, want.Act = []string{"rpctl"}, []string{"rpctl"}
	got, err := Parse("agent.toml", []byte(good[:strings.Index(good, "[access]")]))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]struct{ old, new, want string }{
		"unknown key":           {"act =", "acts =", "agent.toml:13:1: unknown key `acts`: did you mean `act`?"},
		"later version's key":   {"user = \"app\"", "user = \"app\"\n[cronjobs]\nphp = \"php\"", "agent.toml:6:1: unknown key `cronjobs`"},
		"console without php":   {"[access]", "[console]\nscript = \"bin/console\"\nsimulation_hours = 1\n[access]", "`console.php` is missing"},
		"php relative":          {"[access]", "[console]\nphp = \"php\"\nscript = \"bin/console\"\nsimulation_hours = 1\n[access]", "agent.toml:12:1: bad php \"php\""},
		"script absolute":       {"[access]", "[console]\nphp = \"/usr/bin/php\"\nscript = \"/bin/console\"\nsimulation_hours = 1\n[access]", "agent.toml:13:1: bad script"},
		"script out of release": {"[access]", "[console]\nphp = \"/usr/bin/php\"\nscript = \"../x\"\nsimulation_hours = 1\n[access]", "agent.toml:13:1: bad script"},
		"script an option":      {"[access]", "[console]\nphp = \"/usr/bin/php\"\nscript = \"-r\"\nsimulation_hours = 1\n[access]", "agent.toml:13:1: bad script"},
		"tolerance below 0":     {"[access]", "[console]\nphp = \"/usr/bin/php\"\nscript = \"bin/console\"\nsimulation_hours = 1\ntolerance = -1\n[access]", "tolerance -1"},
		"after itself":          {"[access]", "[console]\nphp = \"/usr/bin/php\"\nscript = \"bin/console\"\nsimulation_hours = 1\nafter = \"preprod\"\n[access]", "own environment"},
		"receipt for ever":      {"[access]", "[console]\nphp = \"/usr/bin/php\"\nscript = \"bin/console\"\nsimulation_hours = 1\nreceipt_days = 36500\n[access]", "receipt_days 36500"},
		"receipt for no time":   {"[access]", "[console]\nphp = \"/usr/bin/php\"\nscript = \"bin/console\"\nsimulation_hours = 1\nreceipt_days = 0\n[access]", "receipt_days` is 0"},
		"approval for ever":     {"[access]", "[console]\nphp = \"/usr/bin/php\"\nscript = \"bin/console\"\nsimulation_hours = 1\napproval_days = 36500\n[access]", "approval_days 36500"},
		"simulation for ever":   {"[access]", "[console]\nphp = \"/usr/bin/php\"\nscript = \"bin/console\"\nsimulation_hours = 100000\n[access]", "simulation_hours 100000"},
		"version missing":       {"version = 1", "", "agent.toml:1: `version` is missing"},
		"version newer":         {"version = 1", "version = 2", "agent.toml:1:1: version 2 is not known to this agent"},
		"version of text":       {"version = 1", "version = '1'", "agent.toml:1:1: `version` must be a whole number"},
		"environment missing":   {"environment = \"preprod\"", "", "`environment` is missing"},
		"environment bad":       {"\"preprod\"", "\"Pre Prod\"", "agent.toml:2:1: bad environment name"},
		"environment all":       {"\"preprod\"", "\"all\"", "agent.toml:2:1: bad environment name \"all\""},
		"path relative":         {"/home/app/www", "www", "agent.toml:4:1: bad application path \"www\""},
		"path not clean":        {"/home/app/www", "/home/../etc", "agent.toml:4:1: bad application path"},
		"path missing":          {"path = \"/home/app/www\"", "", "agent.toml:3:1: `application.path` is missing"},
		"user bad":              {"user = \"app\"", "user = \"a b\"", "agent.toml:5:1: bad user or group name"},
		"user missing":          {"user = \"app\"", "", "agent.toml:3:1: `application.user` is missing"},
		"units missing":         {"units = [", "[unit]\nx = [", "agent.toml:6:1: `workers.units` is missing"},
		"pattern bad":           {"messenger_worker_dmp@*.service", "messenger*", "agent.toml:9:3: bad unit pattern \"messenger*\""},
		"pattern of the host's": {"messenger_worker_dmp@*", "ssh", "agent.toml:9:3: bad unit pattern \"ssh.service\": ssh.service is a unit of the host"},
		"pattern of everything": {"messenger_worker_dmp@*.service", "*.service", "agent.toml:9:3: bad unit pattern"},
		"pattern twice":         {"messenger_worker_dmp@*", "messenger_worker_async@*", "agent.toml:9:3: \"messenger_worker_async@*.service\" is there twice: first on line 8"},
		"groups empty":          {"act = [\"rpctl\"]", "act = []", "agent.toml:13:1: `access.act` is empty"},
		"group bad":             {"\"adm\"", "\"-x\"", "agent.toml:12:18: bad user or group name"},
		"group twice":           {"\"adm\"", "\"rpctl\"", "agent.toml:12:18: \"rpctl\" is there twice"},
		"syntax":                {"[access]", "[access", "agent.toml:11:8: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(good, test.old, test.new, 1)
			if changed == good {
				t.Fatal("the change changes nothing")
			}
			checkRefused(t, test.want, func() error { _, err := Parse("agent.toml", []byte(changed)); return err })
		})
	}
	t.Run("no units", func(t *testing.T) {
		text := good[:strings.Index(good, "units")] + "units = []\n"
		checkRefused(t, "agent.toml:7:1: `workers.units` is empty", func() error { _, err := Parse("agent.toml", []byte(text)); return err })
	})
	t.Run("everything at once", func(t *testing.T) {
		text := strings.NewReplacer("\"preprod\"", "1", "/home", "home", "act =", "action =").Replace(good)
		_, err := Parse("agent.toml", []byte(text))
		if got := strings.Count(err.Error(), " agent.toml:"); got != 3 || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %d problems, want 3 on one line:\n%v", got, err)
		}
	})
}

// checkRefused calls f, which must fail as a configuration does, saying want and what to type next.
func checkRefused(t *testing.T, want string, f func() error) {
	t.Helper()
	err := f()
	var refusal *proto.Error
	if !errors.As(err, &refusal) || refusal.Code != proto.CodeConfig {
		t.Fatalf("got %v, want an error of code config", err)
	}
	if !strings.Contains(string(refusal.Message), want) {
		t.Errorf("got\n  %s\nwant\n  %s", refusal.Message, want)
	}
	if refusal.Advice.Text() == "" || strings.HasPrefix(refusal.Advice.Text(), "rp-agent") { // whose greeting ends with this refusal
		t.Errorf("what to type next is %q", refusal.Advice.Text())
	}
}

func TestRenderIsReadBack(t *testing.T) {
	plain := wanted()
	plain.Workers = []proto.UnitPattern{"worker.service"}
	migrating := wanted()
	migrating.Console = &proto.Console{PHP: "/usr/bin/php", Script: "bin/console", After: "preprod", BreakGlass: true, RequireSK: true, Tolerance: 2, SimulationHours: 24, ApprovalDays: 3, ReceiptDays: 14}
	migrating.Environment = "prod"
	for _, config := range []proto.HostConfig{wanted(), plain, migrating} {
		text := Render(config)
		got, err := Parse("agent.toml", text)
		if err != nil || !reflect.DeepEqual(got, config) {
			t.Errorf("%s\nis read back as %+v (%v), want %+v", text, got, err, config)
		}
	}
}

// FuzzParse: what is taken keeps every rule, and survives being written and read again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("version = 1\n[workers]\nunits = [1]"))
	f.Add(Render(wanted()))
	f.Add([]byte(good + "[console]\nphp = \"/usr/bin/php\"\nscript = \"bin/console\"\nsimulation_hours = 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		config, err := Parse("agent.toml", data)
		if err != nil {
			return
		}
		if proto.CheckEnvironment(config.Environment) != nil || config.Application.Check() != nil ||
			len(config.Workers) == 0 || len(config.Look) == 0 || len(config.Act) == 0 {
			t.Errorf("%q is taken as %+v", data, config)
		}
		if again, err := Parse("agent.toml", Render(config)); err != nil || !reflect.DeepEqual(again, config) {
			t.Errorf("%+v comes back as %+v (%v)", config, again, err)
		}
	})
}
