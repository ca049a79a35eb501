package planfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/re-connect/rpctl/internal/secret"
	"github.com/re-connect/rpctl/proto/plan"
)

// ErrNoAnswer says that the conversation ended before the plan was whole.
var ErrNoAnswer = errors.New("cannot write a plan: the answers ended too early")

// Ask goes through a ticket with its reader and returns a plan that passes the
// check but for what Parse will say of it. A step that would cross an earlier one
// of its group begins a new group (runbook, "Cas de croisement").
func Ask(in io.Reader, out io.Writer) (plan.Plan, error) {
	c := &conversation{in: bufio.NewScanner(in), out: out, names: map[int64]string{}}
	p := plan.Plan{Version: plan.Version}
	p.Ticket = c.fitting("link to the ticket", "", isLink, "a link begins with https://, and has no login or token in it: it is shown to everybody who reads the plan")
	p.Centre = c.text("name that the ticket goes by", "")
	c.field = c.fitting("field that chooses people", "migration-des-donnees", plan.IsSlug, "a field's slug has small letters, digits and dashes, like migration-des-donnees")
	accommodations := c.yes("move accommodations too")
	for origin := c.centre("centre of origin"); c.err == nil; {
		c.rules(&p, origin, accommodations)
		if !c.yes("another centre of origin") {
			break
		}
		origin = c.centre("centre of origin")
	}
	return p, c.err
}

// conversation asks until an answer fits, and keeps the first error.
type conversation struct {
	in    *bufio.Scanner
	out   io.Writer
	field string
	names map[int64]string
	err   error
}

// rules asks for the rules of one origin, until a blank destination.
func (c *conversation) rules(p *plan.Plan, origin plan.Centre, accommodations bool) {
	for again := true; again && c.err == nil; again = c.yes("another rule out of " + origin.Name) {
		step := plan.Step{Origin: origin, Destination: c.centre("destination"), WithAccommodations: accommodations}
		value := c.text("value of the field, or * for everybody", "")
		if value == "*" {
			step.NoField = true
		} else {
			step.Field, step.Value = c.field, value
		}
		if c.err == nil {
			add(p, step)
		}
	}
}

// add puts a step into the last group, or into a new one where it would cross another.
func add(p *plan.Plan, step plan.Step) {
	last := len(p.Groups) - 1
	if last < 0 {
		p.Groups = []plan.Group{{Steps: []plan.Step{step}}}
		return
	}
	for _, other := range p.Groups[last].Steps {
		if other.Origin.ID == step.Destination.ID && other.Destination.ID == step.Origin.ID {
			p.Groups = append(p.Groups, plan.Group{Steps: []plan.Step{step}})
			return
		}
	}
	p.Groups[last].Steps = append(p.Groups[last].Steps, step)
}

// fitting asks until the answer fits, and says how one does.
func (c *conversation) fitting(question, fallback string, fits func(string) bool, how string) string {
	for c.err == nil {
		if answer := c.text(question, fallback); c.err != nil || fits(answer) {
			return answer
		}
		fmt.Fprintln(c.out, "  "+how)
	}
	return ""
}

// isLink says whether a text is a web page's address that everybody may see.
func isLink(text string) bool {
	link, err := url.Parse(text)
	return err == nil && !strings.ContainsFunc(text, unicode.IsSpace) && (link.Scheme == "https" || link.Scheme == "http") && link.Host != "" && secret.Link(text) == nil
}

// centre asks for an id and, the first time, for its name.
func (c *conversation) centre(what string) plan.Centre {
	for c.err == nil {
		id, err := strconv.ParseInt(c.text("id of the "+what, ""), 10, 64)
		if err != nil || id <= 0 {
			if c.err == nil {
				fmt.Fprintln(c.out, "  an id is a positive number, like 4537")
			}
			continue
		}
		if _, known := c.names[id]; !known {
			c.names[id] = c.text(fmt.Sprintf("name of centre %d, as the console prints it", id), "")
		}
		return plan.Centre{ID: id, Name: c.names[id]}
	}
	return plan.Centre{}
}

// yes asks until the answer is one, in English or in French: "oui" that counts as no would leave
// a rule or the accommodations out of the plan.
func (c *conversation) yes(question string) bool {
	for c.err == nil {
		switch strings.ToLower(strings.TrimSpace(c.text(question+"? (y/n)", "n"))) {
		case "y", "yes", "o", "oui":
			return true
		case "n", "no", "non":
			return false
		}
		if c.err == nil {
			fmt.Fprintln(c.out, "  y or n")
		}
	}
	return false
}

// text asks until there is an answer; an empty one takes the default, where there is one.
func (c *conversation) text(question, fallback string) string {
	for c.err == nil {
		fmt.Fprint(c.out, question)
		if fallback != "" {
			fmt.Fprintf(c.out, " [%s]", fallback)
		}
		fmt.Fprint(c.out, ": ")
		if !c.in.Scan() {
			c.err = ErrNoAnswer
			break
		}
		if answer := strings.TrimSuffix(c.in.Text(), "\r"); strings.TrimSpace(answer) != "" {
			return answer
		}
		if fallback != "" {
			return fallback
		}
	}
	return ""
}
