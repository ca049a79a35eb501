package plan

import "fmt"

// edge is who moves where.
type edge struct{ from, to int64 }

// between checks the steps against each other.
func (c *checker) between(p Plan) {
	c.names(p)
	steps := p.Steps()
	for i, later := range steps {
		for _, earlier := range steps[:i] {
			c.pair(earlier, later)
		}
	}
	c.crossings(p)
}

// path is where a step stands in the file.
func (l Located) path() string { return fmt.Sprintf("groups[%d].steps[%d]", l.Group, l.Place) }

// names holds that one id has one name.
func (c *checker) names(p Plan) {
	known := map[int64]string{}
	for _, step := range p.Steps() {
		for _, centre := range []struct {
			part string
			Centre
		}{{"origin", step.Origin}, {"destination", step.Destination}} {
			if before, ok := known[centre.ID]; ok && before != centre.Name {
				c.refuse(step.path()+"."+centre.part+".name", "centre %d is %q here and %q before", centre.ID, centre.Name, before)
			}
			known[centre.ID] = centre.Name
		}
	}
}

// pair checks a step against one that runs before it.
func (c *checker) pair(earlier, later Located) {
	sameOrigin := earlier.Origin.ID == later.Origin.ID
	switch {
	case sameOrigin && earlier.sameRule(later.Step) && earlier.Destination.ID == later.Destination.ID:
		c.refuse(later.path(), "this is step %s again", earlier.ID)
	case sameOrigin && earlier.sameRule(later.Step):
		c.refuse(later.path(), "step %s already moves the same people, to %d instead of %d",
			earlier.ID, earlier.Destination.ID, later.Destination.ID)
	case sameOrigin && later.NoField && earlier.WithDeleted && !later.WithDeleted:
		c.refuse(later.path(), "nobody can say how many of the people that step %s moves out of %d are deleted, which this step does not count: "+
			"give it with_deleted too, or put it into a plan of its own, simulated after the first is applied", earlier.ID, later.Origin.ID)
	case sameOrigin && earlier.NoField && later.WithDeleted && !earlier.WithDeleted:
		c.refuse(later.path(), "nobody can say how many deleted people step %s leaves in %d, which this step would move: "+
			"put it into a plan of its own, simulated after the first is applied", earlier.ID, later.Origin.ID)
	case sameOrigin && earlier.NoField:
		c.warn(later.path(), "step %s moves everybody out of %d: nobody will be left for this one", earlier.ID, later.Origin.ID)
	case (sameOrigin || earlier.Destination.ID == later.Origin.ID) && earlier.nearly(later.Step):
		c.warn(later.path(), "the value %q differs from that of step %s, %q, only in what many databases do not tell apart (case, accents, blanks at the end): "+
			"where the application's does not, both steps choose the same people", later.Value, earlier.ID, earlier.Value)
	case earlier.Destination.ID == later.Origin.ID:
		c.chain(earlier, later)
	}
}

// chain looks at two steps of which the later one empties what the earlier one
// filled. Where the same people are moved on for certain, that is worth a
// warning; where nobody can say how many of them are, there is no forecast to approve.
func (c *checker) chain(earlier, later Located) {
	switch {
	case earlier.WithDeleted == later.WithDeleted && (later.NoField || earlier.sameRule(later.Step)):
		c.warn(later.path(), "this moves on the people that step %s brought to %d: they end in %d",
			earlier.ID, later.Origin.ID, later.Destination.ID)
	case earlier.NoField || earlier.Field != later.Field || earlier.Value == later.Value:
		c.refuse(later.path(), "nobody can say how many of the people that step %s brings to %d this step would move on: "+
			"put it into a plan of its own, simulated after the first is applied", earlier.ID, later.Origin.ID)
	}
}

// sameRule says whether two steps choose people alike.
func (s Step) sameRule(other Step) bool {
	return s.NoField == other.NoField && s.Field == other.Field && s.Value == other.Value
}

// crossings refuses two centres that exchange people within one group (runbook, "Cas de croisement").
func (c *checker) crossings(p Plan) {
	for g, group := range p.Groups {
		seen := map[edge]StepID{}
		for s, step := range group.Steps {
			if step.Origin.ID == step.Destination.ID {
				continue // refused by itself
			}
			id := StepID(fmt.Sprintf("%d.%d", g+1, s+1))
			back := edge{step.Destination.ID, step.Origin.ID}
			if other, ok := seen[back]; ok {
				c.refuse(fmt.Sprintf("groups[%d].steps[%d]", g, s),
					"%d and %d exchange people in one group (step %s goes the other way): "+
						"move this step into a group of its own, to run after the first is verified",
					step.Origin.ID, step.Destination.ID, other)
			}
			seen[edge{step.Origin.ID, step.Destination.ID}] = id
		}
	}
}
