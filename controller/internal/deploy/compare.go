package deploy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// compare names every field in which a host's own file is not what hosts.toml
// says. The order within a list means nothing on either side.
func compare(want, have proto.HostConfig) []string {
	var all []string
	differ := func(field, wanted, had string) {
		if wanted != had {
			all = append(all, fmt.Sprintf("%s: hosts.toml has %s, host has %s", field, orNone(wanted), orNone(had)))
		}
	}
	differ("environment", want.Environment, have.Environment)
	differ("application.path", want.Application.Path, have.Application.Path)
	differ("application.user", want.Application.User, have.Application.User)
	differ("workers", list(want.Workers), list(have.Workers))
	differ("look", list(want.Look), list(have.Look))
	differ("act", list(want.Act), list(have.Act))
	for _, rule := range consoleRules {
		differ("console."+rule.name, told(want.Console, rule.tell), told(have.Console, rule.tell))
	}
	return all
}

// consoleRules are the fields of [console], as a person reads them.
var consoleRules = []struct {
	name string
	tell func(proto.Console) string
}{
	{"php", func(c proto.Console) string { return c.PHP }},
	{"script", func(c proto.Console) string { return c.Script }},
	{"after", func(c proto.Console) string { return c.After }},
	{"self_approval", func(c proto.Console) string { return strconv.FormatBool(c.SelfApproval) }},
	{"break_glass", func(c proto.Console) string { return strconv.FormatBool(c.BreakGlass) }},
	{"require_sk", func(c proto.Console) string { return strconv.FormatBool(c.RequireSK) }},
	{"tolerance", func(c proto.Console) string { return strconv.FormatInt(c.Tolerance, 10) }},
	{"simulation_hours", func(c proto.Console) string { return strconv.Itoa(c.SimulationHours) }},
	{"receipt_days", func(c proto.Console) string { return strconv.Itoa(int(c.ReceiptLife() / (24 * time.Hour))) }},
	{"approval_days", func(c proto.Console) string { return strconv.Itoa(int(c.ApprovalLife() / (24 * time.Hour))) }},
}

// told is a rule of a console, or nothing where there is no console.
func told(c *proto.Console, tell func(proto.Console) string) string {
	if c == nil {
		return ""
	}
	return tell(*c)
}

func list[S ~string](items []S) string {
	sorted := slices.Sorted(slices.Values(items))
	words := make([]string, len(sorted))
	for i, item := range sorted {
		words[i] = string(item)
	}
	return strings.Join(words, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// narrow is the patterns that --only leaves, with all their instances or those that it names; all
// of them when only is empty.
func narrow(patterns []proto.PatternUnits, only []proto.UnitPattern) []proto.PatternUnits {
	if len(only) == 0 {
		return patterns
	}
	var kept []proto.PatternUnits
	for _, p := range patterns {
		units := slices.DeleteFunc(slices.Clone(p.Units), func(unit string) bool {
			return !slices.Contains(only, proto.UnitPattern(unit))
		})
		switch {
		case slices.Contains(only, p.Pattern):
			kept = append(kept, p)
		case len(units) > 0:
			kept = append(kept, proto.PatternUnits{Pattern: p.Pattern, Units: units})
		}
	}
	return kept
}
