package plan

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Finding is something wrong, or worth a look, at one place of a plan. Path is
// the place as in `groups[0].steps[1].value`.
type Finding struct {
	Path    string
	Message string
	Warning bool // the plan may run all the same
}

// Limits of a plan; the wire's are larger.
const (
	maxSteps = 200
	maxText  = 500 // bytes of a name or a value
)

// fieldSlug is what the application makes of a custom field's name.
var fieldSlug = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]+(?:[-_][a-z0-9]+)*$`) })

// IsSlug says whether a text can be a custom field's slug.
func IsSlug(field string) bool { return fieldSlug().MatchString(field) && len(field) <= maxText }

// Check finds all that is wrong with a plan, in its order. The host makes the same check.
func Check(p Plan) []Finding {
	c := &checker{}
	if p.Version != Version {
		c.refuse("version", "this rpctl reads plans of version %d, not %d", Version, p.Version)
	}
	c.text("ticket", p.Ticket, true)
	c.text("centre", p.Centre, true)
	if len(p.Groups) == 0 {
		c.refuse("groups", "the plan has no group")
	}
	if n := len(p.Steps()); n > maxSteps {
		c.refuse("groups", "the plan has %d steps; at most %d fit", n, maxSteps)
		return c.found
	}
	for g, group := range p.Groups {
		path := fmt.Sprintf("groups[%d]", g)
		c.text(path+".name", group.Name, false)
		if len(group.Steps) == 0 {
			c.refuse(path, "the group has no step")
		}
		for s, step := range group.Steps {
			c.step(fmt.Sprintf("%s.steps[%d]", path, s), step)
		}
	}
	c.between(p)
	return c.found
}

// Refused says whether a finding is more than a warning.
func Refused(findings []Finding) bool {
	for _, f := range findings {
		if !f.Warning {
			return true
		}
	}
	return false
}

type checker struct{ found []Finding }

func (c *checker) refuse(path, format string, args ...any) {
	c.found = append(c.found, Finding{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) warn(path, format string, args ...any) {
	c.found = append(c.found, Finding{Path: path, Message: fmt.Sprintf(format, args...), Warning: true})
}

// step checks one step by itself.
func (c *checker) step(path string, s Step) {
	c.centre(path+".origin", s.Origin)
	c.centre(path+".destination", s.Destination)
	if s.Origin.ID == s.Destination.ID && s.Origin.ID > 0 {
		c.refuse(path+".destination", "origin and destination are both %d", s.Origin.ID)
	}
	c.rule(path, s)
	c.decisions(path+".decisions", s)
}

// rule checks what chooses the people: `-f` with `-t`, or `--noField` alone (runbook, "Options disponibles").
func (c *checker) rule(path string, s Step) {
	switch {
	case s.NoField && (s.Field != "" || s.Value != ""):
		c.refuse(path+".no_field", "no_field moves everybody and cannot go with field or value")
	case s.NoField:
	case s.Value == "":
		c.refuse(path+".value", "the value is missing: say which value moves people, or no_field = true for everybody")
	case s.Field == "":
		c.refuse(path+".field", "the field is missing: give the step or the plan a field")
	default:
		if !IsSlug(s.Field) {
			c.refuse(path+".field", "%q is no field's slug: want a form like migration-des-donnees", s.Field)
		}
		c.text(path+".value", s.Value, true)
		if s.Value != strings.TrimFunc(s.Value, unicode.IsSpace) {
			c.warn(path+".value", "the value %q begins or ends with a blank, and the match is exact", s.Value)
		}
	}
}

func (c *checker) decisions(path string, s Step) {
	if len(s.Decisions) > 0 && !s.WithAccommodations {
		c.refuse(path, "decisions on accommodations need with_accommodations = true")
	}
	seen := map[int64]bool{}
	for i, d := range s.Decisions {
		at := fmt.Sprintf("%s[%d]", path, i)
		if d.Accommodation <= 0 {
			c.refuse(at+".accommodation", "an accommodation's id is positive, not %d", d.Accommodation)
		}
		if seen[d.Accommodation] {
			c.refuse(at+".accommodation", "accommodation %d is decided twice", d.Accommodation)
		}
		seen[d.Accommodation] = true
		c.text(at+".by", d.By, true)
		c.text(at+".why", d.Why, true)
	}
}

func (c *checker) centre(path string, centre Centre) {
	if centre.ID <= 0 {
		c.refuse(path+".id", "a centre's id is positive, not %d", centre.ID)
	}
	c.text(path+".name", centre.Name, true)
	c.text(path+".short", centre.Short, false)
}

// text refuses what could not be shown or passed on as it is.
func (c *checker) text(path, text string, required bool) {
	switch {
	case required && strings.TrimSpace(text) == "":
		c.refuse(path, "%s is missing", path[strings.LastIndexByte(path, '.')+1:])
	case len(text) > maxText:
		c.refuse(path, "the text is %d bytes long; at most %d fit", len(text), maxText)
	case !utf8.ValidString(text):
		c.refuse(path, "the text is not UTF-8")
	case strings.ContainsFunc(text, unprintable):
		c.refuse(path, "the text %q has a control character", text)
	}
}

// unprintable are control characters and those that change how their neighbours are shown.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}
