package plan

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// ConsoleCommand is the name of the migration command.
const ConsoleCommand = "app:migrate-individuals-to-other-organization"

// Args is the step as arguments of ConsoleCommand, for an argv. Every value is
// tied to its option by `=`: Symfony's ArgvInput then never reads one as an
// option, whatever it starts with.
func (s Step) Args(dryRun bool) []string {
	args := []string{
		"--originOrganization=" + strconv.FormatInt(s.Origin.ID, 10),
		"--destinationOrganization=" + strconv.FormatInt(s.Destination.ID, 10),
	}
	if s.NoField {
		args = append(args, "--noField")
	} else {
		args = append(args, "--targetFieldSlug="+s.Field, "--targetFieldValue="+s.Value)
	}
	return append(args, s.flags(dryRun)...)
}

// flags are the options without a value.
func (s Step) flags(dryRun bool) []string {
	var flags []string
	if s.WithDeleted {
		flags = append(flags, "--withDeleted")
	}
	if s.WithAccommodations {
		flags = append(flags, "--withAccommodations")
	}
	if dryRun {
		flags = append(flags, "--dry-run")
	}
	return flags
}

// Shell is the step as the runbook writes it, for a person to read and for the
// ticket. It can be pasted into a POSIX shell; nothing here ever gives it to one.
func (s Step) Shell(dryRun bool) string {
	words := []string{fmt.Sprintf("php bin/console %s -o %d -d %d", ConsoleCommand, s.Origin.ID, s.Destination.ID)}
	switch {
	case s.NoField:
		words = append(words, "--noField")
	case strings.HasPrefix(s.Value, "-"):
		words = append(words, "-f "+s.Field, "--targetFieldValue="+quote(s.Value))
	default:
		words = append(words, "-f "+s.Field, "-t "+quote(s.Value))
	}
	return strings.Join(append(words, s.flags(dryRun)...), " ")
}

// plain is what means nothing to a shell between double quotes, not even to an interactive one (`!`).
var plain = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^[^\"$`\\\\!]*$") })

// quote writes a value as the runbook does, between double quotes, and where a
// shell would read something into that, between single ones.
func quote(value string) string {
	if plain().MatchString(value) {
		return `"` + value + `"`
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
