package planfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto/plan"
)

func runbook(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/runbook.toml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTheRunbooksTicket(t *testing.T) {
	p, warnings, err := Load("testdata/runbook.toml")
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	steps := p.Steps()
	const want = `php bin/console app:migrate-individuals-to-other-organization -o 4537 -d 5644 -f migration-des-donnees -t "CHU 77"`
	if len(steps) != 8 || steps[0].Shell(false) != want || steps[7].ID != "2.4" || steps[7].Origin.Name != "France Fraternités - CPH" {
		t.Errorf("%d steps, the first is %s", len(steps), steps[0].Shell(false))
	}
	var words bytes.Buffer
	Explain(&words, p)
	for _, part := range []string{"8 steps in 2 groups", want, "group 2: out of CPH (begins when group 1 is verified)",
		`1.1  move those whose migration-des-donnees is exactly "CHU 77" from France Fraternités - CHU 75 (4537) to France Fraternités - CHU 77 (5644)`} {
		if !strings.Contains(words.String(), part) {
			t.Errorf("%q is not in\n%s", part, words.String())
		}
	}
}

// TestProblems changes the runbook's plan in one place each: the problem names the line and what was meant.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown key":       {"field =", "feild =", "p.toml:5:1: unknown key `feild`: did you mean `field`?"},
		"unknown step key":  {`value = "CPH"`, `vaule = "CPH"`, `p.toml:18`},
		"no name":           {"4960 = ", "4961 = ", "centre 4960 has no name"},
		"bad id":            {"4960 = ", "CPH = ", `"CPH" is no centre's id`},
		"crossing":          {"{ origin = 4537, destination = 5634", "{ origin = 4960, destination = 4537", "p.toml:19:"},
		"same place":        {"destination = 5644", "destination = 4537", "p.toml:17:"},
		"no version":        {"version = 1\n", "", "p.toml:1: `version` is missing: the first line is version = 1"},
		"version":           {"version = 1", "version = 2", "p.toml:2"},
		"value twice":       {`value = "CPH"`, `value = "CHU 77"`, "p.toml:18:"},
		"control character": {`"CHU 77" }`, `"CHU\u0000 77" }`, "p.toml:17"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(string(runbook(t)), c.old, c.new, 1)
			_, _, err := Parse("p.toml", []byte(changed))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q, got %v", c.want, err)
			}
		})
	}
}

func TestWarningsNameTheLine(t *testing.T) {
	changed := strings.Replace(string(runbook(t)), `"CHU 77" }`, `"CHU 77 " }`, 1)
	_, warnings, err := Parse("p.toml", []byte(changed))
	if err != nil || len(warnings) != 1 || !strings.HasPrefix(string(warnings[0]), "p.toml:17: ") {
		t.Errorf("%v, %v", warnings, err)
	}
}

func TestAskWritesWhatParseReads(t *testing.T) {
	answers := strings.Join([]string{"https://trello.com/c/x", "CHU \"75\"", "", "y",
		"4537", "CHU 75", "4960", "CPH", "CPH", "y", "x", "5644", "CHU 77", "*", "n", "y",
		"4960", "4537", "back\\slash", "n", "n"}, "\n") + "\n"
	p, err := Ask(strings.NewReader(answers), &bytes.Buffer{})
	if err != nil || len(p.Groups) != 2 || len(p.Groups[0].Steps) != 2 || !p.Groups[0].Steps[1].NoField {
		t.Fatalf("%+v, %v", p, err)
	}
	p.Groups[0].Steps[0].Decisions = []plan.Decision{{Accommodation: 892, Accepted: true, By: "Claire", Why: "vu"}}
	p.Groups[1].Steps[0].WithDeleted = true
	p.Groups[0].Name = "first"
	p.Groups[0].Steps[0].Origin.Short = "75"
	p.Groups[0].Steps[1].Origin.Short = "75"
	p.Groups[1].Steps[0].Destination.Short = "75"
	back, _, err := Parse("p.toml", Format(p))
	if err != nil || !reflect.DeepEqual(back, p) {
		t.Errorf("%v\n%s\n%+v", err, Format(p), back)
	}
}

func TestAskTakesNoOtherWordForNo(t *testing.T) {
	answers := strings.Join([]string{"https://trello.com/c/x", "name", "", "perhaps", "oui",
		"4537", "CHU 75", "4960", "CPH", "CPH", "Non", "n"}, "\n") + "\n"
	var asked bytes.Buffer
	p, err := Ask(strings.NewReader(answers), &asked)
	if err != nil || len(p.Steps()) != 1 || !p.Steps()[0].WithAccommodations {
		t.Fatalf("%+v, %v", p, err)
	}
	if got := strings.Count(asked.String(), "move accommodations too"); got != 2 {
		t.Errorf("asked %d times:\n%s", got, &asked)
	}
}

// TestTicketWithASecret: the ticket's link is in the plan, its reports and on the host, where the team reads it.
func TestTicketWithASecret(t *testing.T) {
	good := runbook(t)
	const noLink = "plan.toml:%d:1: the ticket is no link to a web page: want one that begins with https://, without blanks"
	for link, want := range map[string]string{
		"https://alice:hush@trello.com/c/x": "plan.toml:%d:1: the link has a login in it: whoever sees the link could use it; give the ticket's plain address",
		"https://trello.com/c/x?token=hush": "plan.toml:%d:1: the link has a token in it: whoever sees the link could use it; give the ticket's plain address",
		"bob:hush@trello.com/c/x":           "plan.toml:%d:1: the link has a login in it: whoever sees the link could use it; give the ticket's plain address",
		"javascript:alert(1)":               noLink,
		"https:/trello.com/c/x":             noLink,
		"https://trello.com/c/x y":          noLink,
		" https://trello.com/c/x":           noLink,
		"card 12":                           noLink,
	} {
		text := regexp.MustCompile(`(?m)^ticket = .*$`).ReplaceAllString(string(good), "ticket = \""+link+"\"")
		line := strings.Count(text[:strings.Index(text, "\nticket = ")+1], "\n") + 1
		_, _, err := Parse("plan.toml", []byte(text))
		if err == nil || err.Error() != fmt.Sprintf(want, line) {
			t.Errorf("got  %v\nwant "+want, err, line)
		}
	}
}

func TestAskAsksAgainForWhatIsNoLinkAndNoSlug(t *testing.T) {
	answers := strings.Join([]string{"card 12", "https://", "https://alice:hush@trello.com/c/x", "https://trello.com/c/x", "name", "Migration des données", "lieu", "n",
		"4537", "CHU 75", "4960", "CPH", "CPH", "n", "n"}, "\n") + "\n"
	var asked bytes.Buffer
	p, err := Ask(strings.NewReader(answers), &asked)
	if err != nil || p.Ticket != "https://trello.com/c/x" || len(p.Steps()) != 1 || p.Steps()[0].Field != "lieu" {
		t.Fatalf("%+v, %v\n%s", p, err, &asked)
	}
	if got := strings.Count(asked.String(), "a link begins with https://"); got != 3 {
		t.Errorf("said %d times what a link is:\n%s", got, &asked)
	}
}

func TestAskWithoutAnswers(t *testing.T) {
	if _, err := Ask(strings.NewReader("link\n"), &bytes.Buffer{}); err == nil {
		t.Error("a plan came of one answer")
	}
}

func TestSchemaHasEveryKeyWithItsWords(t *testing.T) {
	var schema struct {
		Required   []string
		Properties map[string]struct{ Description string }
	}
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	for name, property := range schema.Properties {
		if name == "" || property.Description == "" {
			t.Errorf("key %q has no words", name)
		}
	}
	if len(schema.Properties) != 7 || len(schema.Required) != 5 {
		t.Errorf("%+v", schema)
	}
}

func TestMissingFile(t *testing.T) {
	if _, _, err := Load("testdata/none.toml"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
}

// FuzzParse holds that a plan that is read passes the check, and comes back the same from its own form.
func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/runbook.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, _, err := Parse("p.toml", data)
		if err != nil {
			return
		}
		back, _, err := Parse("p.toml", Format(p))
		if err != nil || back.Digest() != p.Digest() {
			t.Errorf("%v\n%s", err, Format(p))
		}
	})
}
