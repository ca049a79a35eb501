package chaos

import (
	"bytes"
	"fmt"

	"github.com/re-connect/rpctl/proto/plan"
)

// planTOML writes a plan as a person would.
func planTOML(p plan.Plan) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "version = 1\nticket = %q\ncentre = %q\n\n[centres]\n", p.Ticket, p.Centre)
	named := map[int64]bool{}
	for _, step := range p.Steps() {
		for _, centre := range []plan.Centre{step.Origin, step.Destination} {
			if !named[centre.ID] {
				fmt.Fprintf(&b, "%d = %q\n", centre.ID, centre.Name)
			}
			named[centre.ID] = true
		}
	}
	for _, group := range p.Groups {
		b.WriteString("\n[[groups]]\nsteps = [\n")
		for _, step := range group.Steps {
			fmt.Fprintf(&b, "  { origin = %d, destination = %d", step.Origin.ID, step.Destination.ID)
			if step.NoField {
				b.WriteString(", no_field = true")
			} else {
				fmt.Fprintf(&b, ", field = %q, value = %q", step.Field, step.Value)
			}
			if step.WithDeleted {
				b.WriteString(", with_deleted = true")
			}
			if step.WithAccommodations {
				b.WriteString(", with_accommodations = true")
			}
			for _, d := range step.Decisions {
				fmt.Fprintf(&b, ", decisions = [{ accommodation = %d, accepted = %v, by = %q, why = %q }]", d.Accommodation, d.Accepted, d.By, d.Why)
			}
			b.WriteString(" },\n")
		}
		b.WriteString("]\n")
	}
	return b.Bytes()
}
