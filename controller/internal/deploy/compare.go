package deploy

import (
	"fmt"
	"slices"
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
	return all
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

// narrow is the patterns that --only leaves; all of them when only is empty.
func narrow(patterns []proto.PatternUnits, only []proto.UnitPattern) []proto.PatternUnits {
	if len(only) == 0 {
		return patterns
	}
	var kept []proto.PatternUnits
	for _, p := range patterns {
		if slices.Contains(only, p.Pattern) {
			kept = append(kept, p)
		}
	}
	return kept
}

// ago is a duration as a person says it.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	default:
		return fmt.Sprintf("%d h %02d min ago", int(d.Hours()), int(d.Minutes())%60)
	}
}
