package inventory

import (
	"slices"
	"strings"

	"github.com/re-connect/rpctl/internal/stricttoml"
)

// hostsOfOthers refuses a host that an environment before has already: an agent serves one environment.
func (c checker) hostsOfOthers() {
	type place struct {
		environment string
		line        int
	}
	first := map[string]place{}
	for _, name := range c.names {
		for i, host := range c.file.Environments[name].Hosts {
			path := stricttoml.Index(in(name)+".hosts", i)
			before, taken := first[host]
			switch {
			case taken && before.environment != name:
				c.doc.Refuse(path, "host %q belongs to environment %s already (line %d)", host, before.environment, before.line)
			case !taken:
				first[host] = place{name, c.doc.Line(path)}
			}
		}
	}
}

// order refuses an `after` that names no environment, and environments that wait for each other.
func (c checker) order() {
	for _, name := range c.names {
		path := in(name) + ".after"
		after := c.file.Environments[name].After
		if !c.doc.Has(path) || slices.Contains(c.names, after) {
			continue
		}
		c.doc.Refuse(path, "`after` names %q: %s", after, c.otherThan(name, after))
	}
	told := map[string]bool{}
	for _, name := range c.names {
		cycle := c.cycle(name)
		if cycle == nil || told[name] {
			continue
		}
		for _, member := range cycle {
			told[member] = true
		}
		c.doc.Refuse(in(name)+".after", "`after` goes round in a circle: %s", strings.Join(append(cycle, name), " after "))
	}
}

// otherThan says which environments could have been meant.
func (c checker) otherThan(name, wrong string) string {
	others := slices.DeleteFunc(slices.Clone(c.names), func(other string) bool { return other == name })
	if len(others) == 0 {
		return "there is no other environment"
	}
	if near, ok := stricttoml.Closest(wrong, others); ok {
		return "did you mean " + near + "?"
	}
	return "there are " + strings.Join(others, ", ")
}

// cycle is the environments that name waits for when it waits for itself, itself first.
func (c checker) cycle(name string) []string {
	path := []string{name}
	for next := c.file.Environments[name].After; next != ""; next = c.file.Environments[next].After {
		if next == name {
			return path
		}
		if slices.Contains(path, next) {
			return nil // a circle, but name only leads to it
		}
		path = append(path, next)
	}
	return nil
}
