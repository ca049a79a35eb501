package plan

import (
	"strings"
	"testing"
)

// The runbook's centres.
var (
	chu75 = Centre{ID: 4537, Name: "France Fraternités - CHU 75", Short: "CHU 75"}
	chu77 = Centre{ID: 5644, Name: "France Fraternités - CHU 77", Short: "CHU 77"}
	cph   = Centre{ID: 4960, Name: "France Fraternités - CPH", Short: "CPH"}
)

// rule is a step as most are.
func rule(from, to Centre, value string) Step {
	return Step{Origin: from, Destination: to, Field: "migration-des-donnees", Value: value}
}

func of(groups ...[]Step) Plan {
	p := Plan{Version: 1, Ticket: "https://trello.com/c/abc", Centre: "France Fraternités"}
	for _, steps := range groups {
		p.Groups = append(p.Groups, Group{Steps: steps})
	}
	return p
}

func everybody(from, to Centre) Step { return Step{Origin: from, Destination: to, NoField: true} }

func deleted(s Step) Step {
	s.WithDeleted = true
	return s
}

func TestCheck(t *testing.T) {
	with := func(change func(*Step)) Plan {
		step := rule(chu75, chu77, "CHU 77")
		change(&step)
		return of([]Step{step})
	}
	for _, c := range []struct {
		name string
		plan Plan
		want string // "" for nothing to say
		warn bool
	}{
		{"the runbook's example", of([]Step{rule(chu75, chu77, "CHU 77")}), "", false},
		{"everybody", of([]Step{everybody(chu75, chu77)}), "", false},
		{"no_field with field", with(func(s *Step) { s.NoField = true }), "cannot go with field or value", false},
		{"no value", with(func(s *Step) { s.Value = "" }), "value is missing", false},
		{"no field", with(func(s *Step) { s.Field = "" }), "field is missing", false},
		{"field is no slug", with(func(s *Step) { s.Field = "--dry-run" }), "no field's slug", false},
		{"origin is destination", with(func(s *Step) { s.Destination = chu75 }), "origin and destination are both 4537", false},
		{"id 0", with(func(s *Step) { s.Origin.ID = 0 }), "positive", false},
		{"id below 0", with(func(s *Step) { s.Destination.ID = -5 }), "positive", false},
		{"newline", with(func(s *Step) { s.Value = "CHU\n77" }), "control character", false},
		{"NUL", with(func(s *Step) { s.Value = "CHU\x0077" }), "control character", false},
		{"right-to-left override", with(func(s *Step) { s.Value = "CHU\u202e77" }), "control character", false},
		{"not UTF-8", with(func(s *Step) { s.Value = "CHU\xff" }), "not UTF-8", false},
		{"too long", with(func(s *Step) { s.Value = strings.Repeat("x", 501) }), "501 bytes", false},
		{"trailing blank", with(func(s *Step) { s.Value = "CHU 77 " }), "begins or ends with a blank", true},
		{"decision without accommodations", with(func(s *Step) {
			s.Decisions = []Decision{{Accommodation: 892, By: "PO", Why: "ok"}}
		}), "need with_accommodations", false},
		{"decided twice", with(func(s *Step) {
			s.WithAccommodations = true
			s.Decisions = []Decision{{892, true, "PO", "ok"}, {892, false, "PO", "no"}}
		}), "decided twice", false},
		{"nothing to do", of(), "no group", false},
		{"empty group", of(nil), "no step", false},
		{"twice the same", of([]Step{rule(chu75, chu77, "x"), rule(chu75, chu77, "x")}), "step 1.1 again", false},
		{"one value, two destinations", of([]Step{rule(chu75, chu77, "x")}, []Step{rule(chu75, cph, "x")}), "already moves the same people", false},
		{"crossing in one group", of([]Step{rule(chu75, cph, "CPH"), rule(cph, chu75, "CHU 75")}), "exchange people in one group", false},
		{"crossing in two groups", of([]Step{rule(chu75, cph, "CPH")}, []Step{rule(cph, chu75, "CHU 75")}), "", false},
		{"chain of one value", of([]Step{rule(chu75, cph, "x"), rule(cph, chu77, "x")}), "moves on the people", true},
		{"chain of two values", of([]Step{rule(chu75, cph, "x"), rule(cph, chu77, "y")}), "", false},
		{"chain that nobody can count", of([]Step{everybody(chu75, cph), rule(cph, chu77, "y")}), "nobody can say how many", false},
		{"everybody after some of the deleted", of([]Step{deleted(rule(chu75, chu77, "x")), everybody(chu75, cph)}), "are deleted", false},
		{"the deleted after everybody else", of([]Step{everybody(chu75, cph), deleted(rule(chu75, chu77, "x"))}), "deleted people", false},
		{"everybody, the deleted too, after some", of([]Step{rule(chu75, chu77, "x"), deleted(everybody(chu75, cph))}), "", false},
		{"two values but for case", of([]Step{rule(chu75, chu77, "CHU 77"), rule(chu75, cph, "chu 77")}), "both steps choose the same people", true},
		{"two values but for accents", of([]Step{rule(chu75, chu77, "Hébergé Œuvre")}, []Step{rule(chu75, cph, "He\u0301berge oeuvre")}), "both steps choose the same people", true},
		{"two values but for a case that has no pair", of([]Step{rule(chu75, chu77, "STRASSE"), rule(chu75, cph, "straße")}), "both steps choose the same people", true},
		{"chain of two values but for case", of([]Step{rule(chu75, cph, "x"), rule(cph, chu77, "X")}), "both steps choose the same people", true},
		{"two values but for a digit", of([]Step{rule(chu75, chu77, "CHU 77"), rule(chu75, cph, "CHU 75")}), "", false},
		{"two values but for a blank inside", of([]Step{rule(chu75, chu77, "CHU 77"), rule(chu75, cph, "CHU77")}), "", false},
		{"two origins, two values but for case", of([]Step{rule(chu75, chu77, "x"), rule(cph, chu77, "X")}), "", false},
		{"nobody left", of([]Step{everybody(chu75, cph), rule(chu75, chu77, "y")}), "nobody will be left", true},
		{"two names", of([]Step{rule(chu75, chu77, "x"), rule(Centre{ID: 4537, Name: "CHU"}, cph, "y")}), `is "CHU" here`, false},
		{"another version", Plan{Version: 2, Ticket: "t", Centre: "c", Groups: of([]Step{rule(chu75, cph, "x")}).Groups}, "version 1, not 2", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := Check(c.plan)
			if c.want == "" {
				if len(found) > 0 {
					t.Fatalf("%+v", found)
				}
				return
			}
			if len(found) != 1 || !strings.Contains(found[0].Message, c.want) || found[0].Warning != c.warn {
				t.Errorf("want one finding %q (warning: %v), got %+v", c.want, c.warn, found)
			}
		})
	}
}

func TestCommandsOfTheRunbook(t *testing.T) {
	step := rule(chu75, chu77, "CHU 77")
	with := step
	with.WithAccommodations = true
	deleted := everybody(chu75, chu77)
	deleted.WithDeleted = true
	const command = "php bin/console app:migrate-individuals-to-other-organization -o 4537 -d 5644"
	for want, got := range map[string]string{
		command + ` -f migration-des-donnees -t "CHU 77"`:                      step.Shell(false),
		command + ` -f migration-des-donnees -t "CHU 77" --dry-run`:            step.Shell(true),
		command + ` -f migration-des-donnees -t "CHU 77" --withAccommodations`: with.Shell(false),
		command + ` --noField --withDeleted`:                                   deleted.Shell(false),
		command + ` -f migration-des-donnees -t 'a"$b'\''c'`:                   rule(chu75, chu77, `a"$b'c`).Shell(false),
		command + ` -f migration-des-donnees --targetFieldValue="--noField"`:   rule(chu75, chu77, "--noField").Shell(false),
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestArgsTieEveryValueToItsOption holds that no value can be read as an option, whatever it is.
func TestArgsTieEveryValueToItsOption(t *testing.T) {
	for _, value := range []string{"--noField", "-d", "; rm -rf /", "$(id)", "a b", "=", "--dry-run=1"} {
		args := rule(chu75, chu77, value).Args(true)
		want := []string{"--originOrganization=4537", "--destinationOrganization=5644",
			"--targetFieldSlug=migration-des-donnees", "--targetFieldValue=" + value, "--dry-run"}
		if strings.Join(args, "\x00") != strings.Join(want, "\x00") {
			t.Errorf("%q", args)
		}
	}
}

func TestDigestIsOfTheContent(t *testing.T) {
	a, b := of([]Step{rule(chu75, chu77, "x")}), of([]Step{rule(chu75, chu77, "x")})
	if a.Digest() != b.Digest() || len(a.Digest()) != 64 {
		t.Errorf("%s, %s", a.Digest(), b.Digest())
	}
	b.Groups[0].Steps[0].WithDeleted = true
	if a.Digest() == b.Digest() {
		t.Error("a changed plan has the same digest")
	}
}
