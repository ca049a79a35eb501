package planfile

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/proto/plan"
)

// Format writes a plan as the plan.toml that Parse reads back.
func Format(p plan.Plan) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "version = %d\nticket = %s\ncentre = %s\n", p.Version, quote(p.Ticket), quote(p.Centre))
	names, shorts := map[int64]string{}, map[int64]string{}
	for _, step := range p.Steps() {
		for _, centre := range []plan.Centre{step.Origin, step.Destination} {
			names[centre.ID] = centre.Name
			if centre.Short != "" {
				shorts[centre.ID] = centre.Short
			}
		}
	}
	table(&out, "centres", names)
	table(&out, "short_names", shorts)
	for _, group := range p.Groups {
		out.WriteString("\n[[groups]]\n")
		if group.Name != "" {
			fmt.Fprintf(&out, "name = %s\n", quote(group.Name))
		}
		for _, step := range group.Steps {
			writeStep(&out, step)
		}
	}
	return out.Bytes()
}

// table writes names by id; an empty one is left out.
func table(out *bytes.Buffer, name string, entries map[int64]string) {
	if len(entries) == 0 {
		return
	}
	fmt.Fprintf(out, "\n[%s]\n", name)
	for _, id := range slices.Sorted(maps.Keys(entries)) {
		fmt.Fprintf(out, "%d = %s\n", id, quote(entries[id]))
	}
}

func writeStep(out *bytes.Buffer, s plan.Step) {
	fmt.Fprintf(out, "\n[[groups.steps]]\norigin = %d\ndestination = %d\n", s.Origin.ID, s.Destination.ID)
	if s.NoField {
		out.WriteString("no_field = true\n")
	} else {
		fmt.Fprintf(out, "field = %s\nvalue = %s\n", quote(s.Field), quote(s.Value))
	}
	if s.WithDeleted {
		out.WriteString("with_deleted = true\n")
	}
	if s.WithAccommodations {
		out.WriteString("with_accommodations = true\n")
	}
	for _, d := range s.Decisions {
		fmt.Fprintf(out, "\n[[groups.steps.decisions]]\naccommodation = %d\naccepted = %t\nby = %s\nwhy = %s\n",
			d.Accommodation, d.Accepted, quote(d.By), quote(d.Why))
	}
}

// quote writes a TOML basic string.
func quote(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			out.WriteRune('\\')
			out.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&out, `\u%04X`, r)
		default:
			out.WriteRune(r)
		}
	}
	return `"` + out.String() + `"`
}
