package planfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/secret"
	"github.com/re-connect/rpctl/internal/stricttoml"
	"github.com/re-connect/rpctl/proto/plan"
)

// Warning is something in a plan that may run all the same, with its place.
type Warning string

// Load reads and checks a plan.toml. The error is an *exit.Error of code
// BadInput that tells every problem with its file and line.
func Load(path string) (plan.Plan, []Warning, error) {
	data, err := readFile(path)
	if err != nil {
		return plan.Plan{}, nil, &exit.Error{
			Code: exit.BadInput, Err: err, Message: fmt.Sprintf("cannot read the plan %s: %v", printable.Line(path), cause(err)),
			Next: afterUnread(path, err),
		}
	}
	p, warnings, err := Parse(path, data)
	if err != nil {
		return plan.Plan{}, nil, &exit.Error{
			Code: exit.BadInput, Err: err, Message: "cannot use the plan:\n" + err.Error(),
			Next: "rpctl plan check " + Word(path),
		}
	}
	return p, warnings, nil
}

// afterUnread is a new plan where there is none, and a look where there is something that is none.
func afterUnread(path string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "rpctl plan new " + Word(path)
	}
	return "ls -ld " + Word(path)
}

// plainWord needs no quotes in any shell.
var plainWord = regexp.MustCompile(`^[\p{L}\p{N}_./+@%:,=-]+$`)

// Word is a plan's path as an argument that can be pasted into a shell, and that no command takes for a flag.
func Word(path string) string {
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	if plainWord.MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, stricttoml.MaxSize+1))
}

func cause(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// Parse reads data as the plan.toml of that path. The error is a stricttoml.Problems.
func Parse(path string, data []byte) (plan.Plan, []Warning, error) {
	var f file
	doc, err := stricttoml.Decode(path, data, &f)
	if doc == nil {
		return plan.Plan{}, nil, err
	}
	p := f.plan(doc)
	if doc.Err() != nil {
		return plan.Plan{}, nil, doc.Err()
	}
	if !doc.Has("version") {
		doc.Refuse("version", "`version` is missing: the first line is version = %d", plan.Version)
		p.Version = plan.Version // which Check need not miss once more
	}
	if err := secret.Link(p.Ticket); err != nil {
		doc.Refuse("ticket", "%v; give the ticket's plain address", err)
	} else if strings.TrimSpace(p.Ticket) != "" && !isLink(p.Ticket) { // an empty one is told below; never repeated
		doc.Refuse("ticket", "the ticket is no link to a web page: want one that begins with https://, without blanks")
	}
	var warnings []Warning
	for _, finding := range plan.Check(p) {
		at := place(finding.Path)
		if finding.Warning {
			warnings = append(warnings, Warning(fmt.Sprintf("%s:%d: %s", printable.Line(path), doc.Line(at), printable.Line(finding.Message))))
			continue
		}
		doc.Refuse(at, "%s", finding.Message)
	}
	return p, warnings, doc.Err()
}

// place is where the file has what a finding calls by the plan's own path.
func place(path string) string {
	for _, part := range []string{"origin", "destination"} {
		if before, _, found := strings.Cut(path, "."+part+"."); found {
			return before + "." + part
		}
	}
	return path
}

// plan puts names to the ids and the plan's field to the steps that name none.
func (f file) plan(doc *stricttoml.Document) plan.Plan {
	p := plan.Plan{Version: f.Version, Ticket: f.Ticket, Centre: f.Centre}
	names := f.names(doc)
	for g, from := range f.Groups {
		group := plan.Group{Name: from.Name}
		for s, step := range from.Steps {
			path := stricttoml.Join(stricttoml.Index("groups", g), "steps")
			group.Steps = append(group.Steps, f.step(doc, stricttoml.Index(path, s), step, names))
		}
		p.Groups = append(p.Groups, group)
	}
	return p
}

// names are the centres by id.
func (f file) names(doc *stricttoml.Document) map[int64]plan.Centre {
	known := map[int64]plan.Centre{}
	for _, key := range doc.Names("centres") {
		id, err := strconv.ParseInt(key, 10, 64)
		if err != nil || id <= 0 {
			doc.Refuse(stricttoml.Join("centres", key), "%q is no centre's id: want a line like 4537 = \"France Fraternités - CHU 75\"", key)
			continue
		}
		known[id] = plan.Centre{ID: id, Name: f.Centres[key], Short: f.ShortNames[key]}
	}
	for _, key := range doc.Names("short_names") {
		if _, named := f.Centres[key]; !named {
			doc.Refuse(stricttoml.Join("short_names", key), "centre %q has a short name, but no name in [centres]", key)
		}
	}
	return known
}

func (f file) step(doc *stricttoml.Document, path string, s step, names map[int64]plan.Centre) plan.Step {
	named := func(key string, id int64) plan.Centre {
		centre, ok := names[id]
		if !ok && id > 0 {
			doc.Refuse(stricttoml.Join(path, key), "centre %d has no name: add a line %d = \"…\" to [centres], as the console prints it", id, id)
		}
		centre.ID = id
		return centre
	}
	field := s.Field
	if field == "" && !s.NoField {
		field = f.Field
	}
	made := plan.Step{
		Origin: named("origin", s.Origin), Destination: named("destination", s.Destination),
		Field: field, Value: s.Value, NoField: s.NoField,
		WithDeleted: s.WithDeleted, WithAccommodations: s.WithAccommodations,
	}
	for _, d := range s.Decisions {
		made.Decisions = append(made.Decisions, plan.Decision(d))
	}
	return made
}
