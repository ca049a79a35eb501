package status

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// Options is how a status is written. Width is in columns, 0 for 80; times are in the
// zone of Now, and ages are counted from it.
type Options struct {
	Color bool
	Width int
	Now   time.Time
}

const (
	defaultWidth = 80
	leastWidth   = 60
)

// Render writes a status for a person. Nothing of it can move a terminal's cursor, and no
// line is wider than Width.
func Render(w io.Writer, s proto.Status, options Options) error {
	if options.Width == 0 {
		options.Width = defaultWidth
	}
	options.Width = max(options.Width, leastWidth)
	page := &page{Options: options}
	page.header(s)
	page.table(s.Workers)
	page.problems(s)
	page.notes(s.Workers)
	page.jobs(s.Jobs)
	page.plans(s.Plans)
	page.lease(s.Lease)
	page.deploy(s.LastDeploy)
	_, err := io.WriteString(w, page.text.String())
	return err
}

// page is a status being written.
type page struct {
	Options
	text strings.Builder
}

func (p *page) header(s proto.Status) {
	p.line(p.paint(bold, fit(s.Host+" ("+s.Environment+")", p.Width)))
	switch {
	case s.Release != nil:
		words := "release " + s.Release.Name
		if s.Release.Revision != "" {
			words += ", revision " + short(s.Release.Revision)
		}
		if !s.Release.Switched.IsZero() {
			words += ", since " + p.moment(s.Release.Switched)
		}
		p.wrap("", words)
	case s.ReleaseErr != "":
		p.wrap("", string("release unknown: "+s.ReleaseErr))
	}
	if s.Agent != "" {
		p.wrap("", "agent "+s.Agent)
	}
	p.line("")
}

func (p *page) problems(s proto.Status) {
	if s.Healthy() {
		p.line(p.paint(green, "healthy"))
		p.line("")
		return
	}
	title := fmt.Sprintf("%d problems", len(s.Problems))
	if len(s.Problems) == 1 {
		title = "1 problem"
	}
	p.line(p.paint(red, title))
	for _, problem := range s.Problems {
		p.wrap("  - ", string(problem))
	}
	p.line("")
	for _, w := range s.Workers {
		p.journal(w)
	}
}

// notes explains what is no problem and still no proof.
func (p *page) notes(workers []proto.WorkerStatus) {
	noted := false
	for _, w := range workers {
		if w.Active == "active" && w.Code == proto.CodeUnknown && w.Why != "" {
			p.wrap("", "note: which code "+w.Unit+" runs is not known: "+string(w.Why))
			noted = true
		}
	}
	if noted {
		p.line("")
	}
}

// journal is the last lines of a worker that failed, each on one line.
func (p *page) journal(w proto.WorkerStatus) {
	if len(w.Journal) == 0 {
		return
	}
	p.wrap("", "last lines of "+w.Unit)
	for _, l := range w.Journal {
		p.line(fit("  "+l.Time.In(p.Now.Location()).Format(time.TimeOnly)+"  "+string(l.Message), p.Width))
	}
	p.line("")
}

func (p *page) lease(holder *proto.Holder) {
	if holder == nil {
		p.line("lease    free")
		return
	}
	words := "held by " + p.who(string(holder.Operator), string(holder.User))
	if holder.From != "" {
		words += " from " + string(holder.From)
	}
	p.wrap("lease    ", words+", for "+string(holder.Purpose)+", since "+p.moment(holder.Since))
}

func (p *page) deploy(d *proto.DeployRecord) {
	if d == nil {
		p.line("last     no deploy is recorded")
		return
	}
	words := d.Kind + " " + d.Result
	if d.Release != "" {
		words += ", release " + d.Release
	}
	if d.Revision != "" {
		words += ", revision " + short(d.Revision)
	}
	words += ", by " + p.who(string(d.Operator), string(d.User)) + ", " + p.moment(d.Began)
	if d.Ended.After(d.Began) {
		words += ", took " + age(d.Ended.Sub(d.Began))
	}
	if d.Detail != "" {
		words += string(": " + d.Detail)
	}
	p.wrap("last     ", words)
}

// who is the operator as told and the user that the kernel proved.
func (p *page) who(operator, user string) string {
	if operator == "" {
		return user
	}
	return operator + " (user " + user + ")"
}

func (p *page) moment(t time.Time) string {
	return t.In(p.Now.Location()).Format("2006-01-02 15:04:05 MST") + " (" + age(p.Now.Sub(t)) + " ago)"
}

// short is the beginning of a commit's hash, or the whole of anything else.
func short(revision string) string {
	if len(revision) != 40 && len(revision) != 64 {
		return revision
	}
	return revision[:12]
}
