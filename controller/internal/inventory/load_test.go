package inventory

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

const good = `version = 1
[environments.preprod]
hosts = ["rp-preprod"]
branch = "dev"
deploy = ["make", "deploy-preprod"]
workers = [
  "messenger_worker_async@*.service",
]
application = { path = "/home/app/www", user = "app" }

[environments.prod]
hosts = ["rp-prod", "rp-prod2"]
branch = "main"
prepare = []
deploy = ["make", "deploy-prod"]
rollback = ["make", "rollback"]
workers = ["messenger_worker@*.service"]
console_host = "rp-prod2"
operators = ["alice"]
after = "preprod"
confirm = true
[environments.prod.application]
path = "/srv/app"
user = "app"
[environments.prod.access]
act = ["deployers"]
[environments.prod.health]
url = "https://pro.example.org/health"
revision_json = "build.revision"
[environments.prod.console]
php = "/usr/bin/php8.3"
script = "bin/console"
simulation_hours = 24
`

func TestLoad(t *testing.T) {
	path := write(t, good)
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	trusted := TrustedHosts{Folder: filepath.Dir(path), Name: "trusted_hosts"}
	want := &Inventory{Path: path, Environments: []Environment{
		{
			Name: "preprod", Hosts: []string{"rp-preprod"}, Branch: "dev", Prepare: DefaultPrepare(),
			Deploy: []string{"make", "deploy-preprod"}, Workers: []proto.UnitPattern{"messenger_worker_async@*.service"},
			Application: proto.Application{Path: "/home/app/www", User: "app"}, ConsoleHost: "rp-preprod",
			Look: []string{"rpctl"}, Act: []string{"rpctl"}, TrustedHosts: trusted,
		},
		{
			Name: "prod", Hosts: []string{"rp-prod", "rp-prod2"}, Branch: "main", Prepare: [][]string{},
			Deploy: []string{"make", "deploy-prod"}, Rollback: []string{"make", "rollback"},
			Workers:     []proto.UnitPattern{"messenger_worker@*.service"},
			Application: proto.Application{Path: "/srv/app", User: "app"}, ConsoleHost: "rp-prod2",
			Operators: []string{"alice"}, Look: []string{"rpctl"}, Act: []string{"deployers"},
			Health: &Health{URL: "https://pro.example.org/health", Status: 200, RevisionJSON: "build.revision"},
			After:  "preprod", Confirm: true, Console: prodConsole(), TrustedHosts: trusted,
		},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func prodConsole() *proto.Console {
	return &proto.Console{PHP: "/usr/bin/php8.3", Script: "bin/console", After: "preprod", SimulationHours: 24, ApprovalDays: proto.DefaultApprovalDays, ReceiptDays: proto.DefaultReceiptDays}
}

func TestConsoleByDefault(t *testing.T) {
	text := strings.Replace(good, "[environments.prod]", "[environments.preprod.console]\nphp = \"/usr/bin/php\"\nscript = \"bin/console\"\n[environments.prod]", 1)
	got, err := Load(write(t, text))
	want := proto.Console{PHP: "/usr/bin/php", Script: "bin/console", SelfApproval: true, SimulationHours: proto.DefaultSimulationHours, ApprovalDays: proto.DefaultApprovalDays, ReceiptDays: proto.DefaultReceiptDays}
	if err != nil || *got.Environments[0].Console != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	tests := map[string]struct{ old, new, want string }{
		"console without php":     {"php = \"/usr/bin/php8.3\"\n", "", "`console.php` is missing"},
		"console of a shell":      {"\"bin/console\"", "\"bin/console; id\"", "bad script"},
		"simulation for ever":     {"simulation_hours = 24", "simulation_hours = 0", "simulation_hours 0 is not"},
		"receipt for ever":        {"simulation_hours = 24", "receipt_days = 36500", "receipt_days 36500 is not"},
		"approval for no time":    {"simulation_hours = 24", "approval_days = 0", "`approval_days` is 0"},
		"receipt for no time":     {"simulation_hours = 24", "receipt_days = 0", "`receipt_days` is 0"},
		"trusted hosts elsewhere": {"version = 1\n", "version = 1\ntrusted_hosts = \"../.bashrc\"\n", "bad file of trusted hosts"},
		"trusted hosts of root":   {"version = 1\n", "version = 1\ntrusted_hosts = \"/etc/passwd\"\n", "bad file of trusted hosts"},
		"trusted hosts hidden":    {"version = 1\n", "version = 1\ntrusted_hosts = \"a\\nb\"\n", "bad file of trusted hosts"},
		"trusted hosts nowhere":   {"version = 1\n", "version = 1\ntrusted_hosts = \"\"\n", "bad file of trusted hosts"},
		"approval for ever":       {"simulation_hours = 24", "approval_days = 36500", "approval_days 36500 is not"},
		"after in the console":    {"simulation_hours = 24", "after = \"preprod\"", "unknown key `after`"},
		"unknown key":             {"workers = [\n", "worker = [\n", "hosts.toml:6:1: unknown key `worker`: did you mean `workers`?"},
		"unknown key at the top":  {"version = 1", "version = 1\nhosts = []", "hosts.toml:2:1: unknown key `hosts`"},
		"unknown table":           {"[environments.prod.access]", "[environments.prod.acces]", "hosts.toml:25:1: unknown key `acces`: did you mean `access`?"},
		"misspelt environments":   {"[environments.preprod]", "[environnments.preprod]", "hosts.toml:2:1: unknown key `environnments`: did you mean `environments`?"},
		"secret":                  {"branch = \"dev\"", "api_token = \"x\"", "hosts.toml:4:1: key `api_token` looks like a secret: secrets never live here"},
		"secret: a key":           {"branch = \"dev\"", "ssh_key = \"x\"", "hosts.toml:4:1: key `ssh_key` looks like a secret: secrets never live here"},
		"secret: a password":      {"user = \"app\" }", "user = \"app\", dbPassword = \"x\" }", "hosts.toml:9:55: key `dbPassword` looks like a secret"},
		"secret in the URL":       {"https://pro", "https://u:hush@pro", "hosts.toml:28:1: the link has a login in it: whoever sees the link could use it; secrets never live here"},
		"secret in a URL's query": {"/health", "/health?access_token=hush", "hosts.toml:28:1: the link has a token in it"},
		"secret in a command":     {"[\"make\", \"deploy-preprod\"]", "[\"dep\", \"--from=https://u:hush@git.example\"]", "hosts.toml:5:1: `deploy` has a secret in it: the link has a login"},
		"secret in a preparation": {"prepare = []", "prepare = [[\"curl https://u:hush@git.example\"]]", "hosts.toml:14:12: a command in `prepare` has a secret in it"},
		"version missing":         {"version = 1\n", "\n", "hosts.toml:1: `version` is missing: the first line is version = 1"},
		"version newer":           {"version = 1", "version = 2", "hosts.toml:1:1: version 2 is newer than this rpctl"},
		"version zero":            {"version = 1", "version = 0", "hosts.toml:1:1: there is no version 0"},
		"environment name":        {"[environments.preprod]", "[environments.PreProd]", "hosts.toml:2:1: bad environment name \"PreProd\""},
		"environment all":         {"[environments.preprod]", "[environments.all]", "hosts.toml:2:1: bad environment name \"all\""},
		"environment of controls": {"[environments.preprod]", `[environments."\u001b[2J"]`, "hosts.toml:2:1: hidden character in the key"},
		"hosts missing":           {"hosts = [\"rp-preprod\"]", "", "hosts.toml:2:1: `hosts` is missing"},
		"hosts empty":             {"[\"rp-preprod\"]", "[]", "hosts.toml:3:1: `hosts` is empty"},
		"hosts of text":           {"[\"rp-preprod\"]", "\"rp-preprod\"", "hosts.toml:3:1: `hosts` must be a list of strings, not a string"},
		"host is an option":       {"\"rp-preprod\"", "\"-oProxyCommand=x\"", "hosts.toml:3:10: bad host \"-oProxyCommand=x\""},
		"host with user":          {"\"rp-preprod\"", "\"app@rp-preprod\"", "hosts.toml:3:10: bad host \"app@rp-preprod\""},
		"host twice":              {"\"rp-prod2\"", "\"rp-prod\"", "hosts.toml:12:21: \"rp-prod\" is there twice in `hosts`: first on line 12"},
		"host of another":         {"\"rp-prod2\"", "\"rp-preprod\"", "hosts.toml:12:21: host \"rp-preprod\" belongs to environment preprod already (line 3)"},
		"branch missing":          {"branch = \"dev\"", "", "hosts.toml:2:1: `branch` is missing"},
		"branch is an option":     {"\"dev\"", "\"--force\"", "hosts.toml:4:1: bad branch name \"--force\""},
		"branch with a space":     {"\"dev\"", "\"de v\"", "hosts.toml:4:1: bad branch name"},
		"branch empty":            {"\"dev\"", "\"\"", "hosts.toml:4:1: bad branch name \"\""},
		"deploy missing":          {"deploy = [\"make\", \"deploy-preprod\"]", "", "hosts.toml:2:1: `deploy` is missing"},
		"deploy empty":            {"[\"make\", \"deploy-preprod\"]", "[]", "hosts.toml:5:1: `deploy` is empty"},
		"deploy of text":          {"[\"make\", \"deploy-preprod\"]", "\"make x\"", "hosts.toml:5:1: `deploy` must be a list of strings, not a string"},
		"deploy for a shell":      {"[\"make\", \"deploy-preprod\"]", "[\"make deploy-preprod\"]", "hosts.toml:5:1: `deploy` begins with \"make deploy-preprod\": no shell will cut it into words, write [\"make\", \"deploy-preprod\"]"},
		"deploy with a pipe":      {"\"deploy-preprod\"", "\"x\", \"|\", \"tee\"", "hosts.toml:5:1: `deploy` has \"|\" in it"},
		"rollback empty":          {"[\"make\", \"rollback\"]", "[]", "hosts.toml:16:1: `rollback` is empty"},
		"prepare of one list":     {"prepare = []", "prepare = [\"composer\", \"install\"]", "hosts.toml:14:12: an element of `prepare` must be a list of strings, not a string"},
		"prepare of nothing":      {"prepare = []", "prepare = [[\"a\"], []]", "hosts.toml:14:19: a command in `prepare` is empty"},
		"prepare of no program":   {"prepare = []", "prepare = [[\"\"]]", "hosts.toml:14:12: a command in `prepare` begins with \"\""},
		"workers missing":         {"workers = [\"messenger_worker@*.service\"]", "", "hosts.toml:11:1: `workers` is missing"},
		"workers empty":           {"[\"messenger_worker@*.service\"]", "[]", "hosts.toml:17:1: `workers` is empty"},
		"bad pattern":             {"\"messenger_worker_async@*.service\"", "\"messenger_worker*\"", "hosts.toml:7:3: bad unit pattern \"messenger_worker*\""},
		"pattern of the host's":   {"\"messenger_worker_async@*.service\"", "\"dbus.service\"", "hosts.toml:7:3: bad unit pattern \"dbus.service\": dbus.service is a unit of the host"},
		"pattern twice":           {"\"messenger_worker_async@*.service\",", "'a@*.service',\n'a@*.service'", "hosts.toml:8:1: \"a@*.service\" is there twice in `workers`: first on line 7"},
		"path missing":            {"path = \"/home/app/www\", ", "", "hosts.toml:9:1: `application.path` is missing"},
		"path relative":           {"/home/app/www", "~/www", "hosts.toml:9:17: bad application path \"~/www\""},
		"user missing":            {"user = \"app\" }", "}", "hosts.toml:9:1: `application.user` is missing"},
		"user bad":                {"user = \"app\" }", "user = \"-x\" }", "hosts.toml:9:41: bad user or group name \"-x\""},
		"console_host missing":    {"console_host = \"rp-prod2\"", "", "hosts.toml:11:1: `console_host` is missing: with several hosts"},
		"console_host elsewhere":  {"console_host = \"rp-prod2\"", "console_host = \"rp-prod3\"", "hosts.toml:18:1: `console_host` \"rp-prod3\" is not among the hosts: did you mean rp-prod?"},
		"operators empty":         {"operators = [\"alice\"]", "operators = []", "hosts.toml:19:1: `operators` is empty"},
		"operator is the app":     {"operators = [\"alice\"]", "operators = [\"alice\", \"app\"]", "hosts.toml:19:23: operator \"app\" is the application's user, as which PHP runs"},
		"operator bad":            {"operators = [\"alice\"]", "operators = [\"a b\"]", "hosts.toml:19:14: bad user or group name \"a b\""},
		"groups empty":            {"act = [\"deployers\"]", "look = []", "hosts.toml:26:1: `access.look` is empty"},
		"after of nothing":        {"after = \"preprod\"", "after = \"preprdo\"", "hosts.toml:20:1: `after` names \"preprdo\": did you mean preprod?"},
		"after itself":            {"after = \"preprod\"", "after = \"prod\"", "hosts.toml:20:1: `after` goes round in a circle: prod after prod"},
		"after in a circle":       {"branch = \"dev\"", "branch = \"dev\"\nafter = \"prod\"", "hosts.toml:5:1: `after` goes round in a circle: preprod after prod after preprod"},
		"confirm of text":         {"confirm = true", "confirm = \"yes\"", "hosts.toml:21:1: `confirm` must be true or false, not a string"},
		"URL missing":             {"url = \"https://pro.example.org/health\"", "", "hosts.toml:27:1: `url` is missing"},
		"URL of a file":           {"https://", "file://", "hosts.toml:28:1: bad health URL: want one like https://"},
		"URL without host":        {"https://pro.example.org", "https://", "hosts.toml:28:1: bad health URL"},
		"URL fragment":            {"/health", "/health#x", "hosts.toml:28:1: bad health URL: a fragment"},
		"status":                  {"revision_json =", "status = 20\nrevision_json =", "hosts.toml:29:1: `status` 20 is no HTTP status"},
		"status zero":             {"revision_json =", "status = 0\nrevision_json =", "hosts.toml:29:1: `status` 0 is no HTTP status"},
		"header":                  {"revision_json = \"build.revision\"", "revision_header = \"X Rev\"", "hosts.toml:29:1: bad header name \"X Rev\""},
		"json path":               {"build.revision", "build..revision", "hosts.toml:29:1: bad path \"build..revision\""},
		"two places":              {"revision_json =", "revision_header = \"X-R\"\nrevision_json =", "hosts.toml:30:1: `revision_header` is set too (line 29)"},
		"key twice":               {"confirm = true", "confirm = true\nconfirm = false", "hosts.toml:22:1: `confirm` is set twice: first on line 21"},
		"environment twice":       {"[environments.prod]", "[environments.preprod]", "hosts.toml:11:1: table [environments.preprod] is there twice: first on line 2"},
		"syntax":                  {"branch = \"dev\"", "branch = dev", "hosts.toml:4:10: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(good, test.old, test.new, 1)
			if changed == good {
				t.Fatal("the change changes nothing")
			}
			_, err := Load(write(t, changed))
			failure := badInput(t, err)
			if !strings.Contains(failure.Message, test.want) {
				t.Errorf("got\n  %s\nwant\n  %s", failure.Message, test.want)
			}
			if strings.Contains(failure.Message, "hush") {
				t.Error("a secret is repeated")
			}
			if failure.Next == "" {
				t.Error("it does not say what to do next")
			}
		})
	}
}

func TestLoadTellsAllProblemsInOrder(t *testing.T) {
	path := write(t, "version = 1\n[environments.preprod]\nhost = []\nhosts = []\nbranch = 1\n[environments.Prod]\n")
	_, err := Load(path)
	got := badInput(t, err).Message
	var lines []string
	for _, line := range strings.Split(got, "\n")[1:] {
		_, rest, _ := strings.Cut(line, "hosts.toml:")
		lines = append(lines, strings.SplitN(rest, ":", 2)[0])
	}
	// line 2: deploy, workers, application.path, application.user; line 6: the name, and not what is missing below it
	if want := "2 2 2 2 3 4 5 6"; strings.Join(lines, " ") != want {
		t.Errorf("the problems are on lines %s, want %s:\n%s", strings.Join(lines, " "), want, got)
	}
	if !strings.HasPrefix(got, "8 problems in ") {
		t.Errorf("the number of problems is not told: %s", got)
	}
}

func TestLoadOneProblemIsOneLine(t *testing.T) {
	_, err := Load(write(t, strings.Replace(good, "confirm = true", "confrim = true", 1)))
	if got := badInput(t, err).Message; strings.Contains(got, "\n") || !strings.HasSuffix(got, "hosts.toml:21:1: unknown key `confrim`: did you mean `confirm`?") {
		t.Errorf("got %q", got)
	}
}

func TestLoadWithoutEnvironments(t *testing.T) {
	for _, text := range []string{"version = 1\n", "version = 1\n[environments]\n"} {
		_, err := Load(write(t, text))
		if got := badInput(t, err).Message; !strings.Contains(got, "no environments: a table [environments.preprod] describes one") {
			t.Errorf("got %q", got)
		}
	}
}

func TestLoadWhatCannotBeRead(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "hosts.toml"))
	if got := badInput(t, err).Message; !strings.HasSuffix(got, "hosts.toml: no such file or directory") {
		t.Errorf("got %q", got)
	}
	_, err = Load(t.TempDir())
	if got := badInput(t, err).Message; !strings.HasSuffix(got, "is a directory") {
		t.Errorf("got %q", got)
	}
}

func TestEnvironment(t *testing.T) {
	inventory, err := Load(write(t, good))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := inventory.Environment("prod"); err != nil || e.Name != "prod" {
		t.Errorf("got %+v, %v", e, err)
	}
	for name, want := range map[string][2]string{
		"preprdo": {"there are preprod, prod; did you mean preprod?", "preprod"},
		"Prod":    {"there are preprod, prod; did you mean prod?", "prod"},
		"staging": {"no environment staging in " + inventory.Path + ": there are preprod, prod", ""},
		"":        {"no environment is named: there are preprod, prod", "preprod"},
		"\x1b[2J": {`no environment \x1b[2J in`, ""},
	} {
		_, err := inventory.Environment(name)
		failure := badInput(t, err)
		near, _ := inventory.Nearest(name)
		if !strings.Contains(failure.Message, want[0]) || near != want[1] {
			t.Errorf("%q: got %q, nearest %q; want %q", name, failure.Message, near, want)
		}
	}
}

func TestHostConfig(t *testing.T) {
	inventory, err := Load(write(t, good))
	if err != nil {
		t.Fatal(err)
	}
	got := inventory.Environments[1].HostConfig("rp-prod2")
	want := proto.HostConfig{
		Environment: "prod", Application: proto.Application{Path: "/srv/app", User: "app"},
		Workers: []proto.UnitPattern{"messenger_worker@*.service"}, Look: []string{"rpctl"}, Act: []string{"deployers"},
		Console: prodConsole(),
	}
	if other := inventory.Environments[1].HostConfig("rp-prod"); other.Console != nil {
		t.Errorf("a host that runs no console has rules for it: %+v", other.Console)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The example at the top of the project is what README and guide speak of.
func TestExample(t *testing.T) {
	inventory, err := Load("../../../hosts.toml")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(inventory.Names(), " "); got != "preprod prod" {
		t.Fatalf("the environments are %s", got)
	}
	preprod, prod := inventory.Environments[0], inventory.Environments[1]
	runbook := []proto.UnitPattern{"messenger_worker_async@*.service", "messenger_worker_dmp@*.service", "messenger_worker_export@*.service"}
	if !reflect.DeepEqual(preprod.Workers, runbook) || preprod.Branch != "dev" || !reflect.DeepEqual(preprod.Prepare, DefaultPrepare()) {
		t.Errorf("preprod is not what the runbook says: %+v", preprod)
	}
	if !reflect.DeepEqual(prod.Workers, []proto.UnitPattern{"messenger_worker@*.service"}) || prod.After != "preprod" || !prod.Confirm || prod.Branch != "main" {
		t.Errorf("prod is not what the runbook says: %+v", prod)
	}
}

// FuzzRead: whatever is taken keeps the rules that the rest of rpctl counts on.
func FuzzRead(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("version = 1\n[environments.a]\nafter = 'a'"))
	f.Add([]byte("environments = {a = {hosts = ['x']}, b = {after = 'a'}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		inventory, err := Parse("hosts.toml", data)
		if err != nil {
			return
		}
		if len(inventory.Environments) == 0 {
			t.Fatal("no environments are taken")
		}
		for _, e := range inventory.Environments {
			if proto.CheckEnvironment(e.Name) != nil || len(e.Hosts) == 0 || len(e.Deploy) == 0 || len(e.Workers) == 0 ||
				e.ConsoleHost == "" || e.Application.Check() != nil || checkBranch(e.Branch) != nil {
				t.Fatalf("%q is taken as %+v", data, e)
			}
			for steps := 0; e.After != ""; steps++ {
				if e, err = inventory.Environment(e.After); err != nil || steps > len(inventory.Environments) {
					t.Fatalf("after leads nowhere in %q", data)
				}
			}
		}
	})
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func badInput(t *testing.T, err error) *exit.Error {
	t.Helper()
	var failure *exit.Error
	if !errors.As(err, &failure) || failure.Code != exit.BadInput {
		t.Fatalf("got %v, want an error of code %v", err, exit.BadInput)
	}
	return failure
}
