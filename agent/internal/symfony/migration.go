package symfony

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Centre is a row of the follow-ups' table (runbook "RP - Migration des dossiers usagers", étape 2).
type Centre struct {
	ID     int64
	Name   Cell
	Before int64
	After  int64
}

// Conflict is an accommodation shared by people who are moved and people who
// are not; it needs a person's decision before anything real runs.
type Conflict struct {
	Centre, Accommodation int64
	Staying, Moving       []int64 // individuals
}

// Migration is what one run of the migration command printed.
type Migration struct {
	Origin, Destination Centre
	Moved               int64
	// Accommodations is how many would move; nil when the command did not speak of them.
	Accommodations *int64
	Conflicts      []Conflict
}

// The tables' headers and the texts, as the runbook shows them.
var (
	followUps       = []string{"Rôle", "Centre ID", "Centre Nom", "Nb. suivis", "Après migration"}
	conflicts       = []string{"Centre ID", "Hébergement ID", "Individus non migrés", "Individus migrés"}
	leaving         = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]+) \(- ?([0-9]+) migrés?\)$`) })
	arriving        = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]+) \(\+ ?([0-9]+) entrants?\)$`) })
	accommodations  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\s*Hébergements à migrer ?: ?(.*?)\s*$`) })
	conflictHeading = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\s*(\[[A-Z]+\] )?Problème ?: ?Hébergements avec individus non migrés rattachés\s*$`)
	})
)

// ParseMigration reads the output of app:migrate-individuals-to-other-organization.
// The error says what could not be read; there is no partial result.
func ParseMigration(output []byte) (Migration, error) {
	lines := Lines(output)
	m, err := parseFollowUps(lines)
	if err != nil {
		return Migration{}, fmt.Errorf("cannot read the follow-ups: %w", err)
	}
	if m.Accommodations, err = parseAccommodations(lines); err != nil {
		return Migration{}, fmt.Errorf("cannot read the accommodations: %w", err)
	}
	if m.Conflicts, err = parseConflicts(lines); err != nil {
		return Migration{}, fmt.Errorf("cannot read the conflicts: %w", err)
	}
	if len(m.Conflicts) > 0 && m.Accommodations == nil {
		return Migration{}, fmt.Errorf("cannot read the accommodations: there are conflicts, but no total")
	}
	return m, nil
}

func parseFollowUps(lines []string) (Migration, error) {
	rows, err := Table(lines, followUps)
	switch {
	case err != nil:
		return Migration{}, err
	case rows == nil:
		return Migration{}, fmt.Errorf("the table %q is not there", strings.Join(followUps, " | "))
	case len(rows) != 2 || rows[0][0].String() != "Origine" || rows[1][0].String() != "Destination":
		return Migration{}, fmt.Errorf("want the rows Origine and Destination, got %d rows", len(rows))
	}
	var m Migration
	var entered int64
	if m.Origin, m.Moved, err = parseCentre(rows[0], leaving()); err != nil {
		return Migration{}, err
	}
	if m.Destination, entered, err = parseCentre(rows[1], arriving()); err != nil {
		return Migration{}, err
	}
	return m, checkSums(m, entered)
}

// checkSums holds what must be true of any migration.
func checkSums(m Migration, entered int64) error {
	switch {
	case m.Moved != entered:
		return fmt.Errorf("%d leave the origin, but %d enter the destination", m.Moved, entered)
	case m.Origin.After != m.Origin.Before-m.Moved:
		return fmt.Errorf("origin: %d - %d is not %d", m.Origin.Before, m.Moved, m.Origin.After)
	case m.Destination.After != m.Destination.Before+m.Moved:
		return fmt.Errorf("destination: %d + %d is not %d", m.Destination.Before, m.Moved, m.Destination.After)
	}
	return nil
}

func parseCentre(row []Cell, after *regexp.Regexp) (Centre, int64, error) {
	role := row[0].String()
	id, err := parseNumber(row[1].String())
	if err != nil {
		return Centre{}, 0, fmt.Errorf("%s: centre: %w", role, err)
	}
	before, err := parseNumber(row[3].String())
	if err != nil {
		return Centre{}, 0, fmt.Errorf("%s: follow-ups: %w", role, err)
	}
	found := after.FindStringSubmatch(row[4].String())
	if found == nil {
		return Centre{}, 0, fmt.Errorf("%s: cannot read %q", role, row[4])
	}
	left, err := parseNumber(found[1])
	if err != nil {
		return Centre{}, 0, fmt.Errorf("%s: after: %w", role, err)
	}
	moved, err := parseNumber(found[2])
	if err != nil {
		return Centre{}, 0, fmt.Errorf("%s: moved: %w", role, err)
	}
	return Centre{ID: id, Name: row[2], Before: before, After: left}, moved, nil
}

func parseAccommodations(lines []string) (*int64, error) {
	var total *int64
	for _, line := range lines {
		if !strings.Contains(line, "Hébergements") {
			continue
		}
		found := accommodations().FindStringSubmatch(line)
		if found == nil {
			continue
		}
		if total != nil {
			return nil, fmt.Errorf("the total is there more than once")
		}
		n, err := parseNumber(found[1])
		if err != nil {
			return nil, err
		}
		total = &n
	}
	return total, nil
}

func parseConflicts(lines []string) ([]Conflict, error) {
	rows, err := Table(lines, conflicts)
	if err != nil {
		return nil, err
	}
	announced := slices.ContainsFunc(lines, func(line string) bool {
		return strings.Contains(line, "Hébergements") && conflictHeading().MatchString(line)
	})
	if announced != (len(rows) > 0) {
		return nil, fmt.Errorf("the heading and the table do not go together")
	}
	if line, found := unknownBlock(lines); len(rows) == 0 && found {
		return nil, fmt.Errorf("after the total comes something that is no table of conflicts as the runbook shows it: %q", line)
	}
	var all []Conflict
	for _, row := range rows {
		conflict, err := parseConflict(row)
		if err != nil {
			return nil, err
		}
		all = append(all, conflict)
	}
	return all, nil
}

// unknownBlock finds a table, or the announcement of a problem, behind the accommodations' total:
// should the command ever word its alert otherwise, that must not pass for "no conflict".
func unknownBlock(lines []string) (string, bool) {
	total := slices.IndexFunc(lines, func(line string) bool {
		return strings.Contains(line, "Hébergements") && accommodations().MatchString(line)
	})
	if total < 0 {
		return "", false
	}
	for i := total + 1; i < len(lines); i++ {
		if _, used, err := tableAt(lines[i:], followUps); err == nil && used > 0 {
			i += used - 1
			continue
		}
		if _, rule := ruled(lines[i]); rule || strings.Contains(lines[i], "Problème") {
			return lines[i], true
		}
	}
	return "", false
}

func parseConflict(row []Cell) (c Conflict, err error) {
	if c.Centre, err = parseNumber(row[0].String()); err != nil {
		return Conflict{}, err
	}
	if c.Accommodation, err = parseNumber(row[1].String()); err != nil {
		return Conflict{}, err
	}
	if c.Staying, err = parseIDs(row[2]); err != nil {
		return Conflict{}, err
	}
	c.Moving, err = parseIDs(row[3])
	return c, err
}

// parseIDs reads "1042, 1078". A cell may be broken after a comma, never inside a number: the
// comma at the end of each line but the last proves it.
func parseIDs(cell Cell) ([]int64, error) {
	for _, line := range cell[:len(cell)-1] {
		if !strings.HasSuffix(line, ",") {
			return nil, fmt.Errorf("a list of ids is broken where it cannot be put together: %q", []string(cell))
		}
	}
	var ids []int64
	for part := range strings.SplitSeq(cell.String(), ",") {
		id, err := parseNumber(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// parseNumber reads digits and nothing else, at most nine: no sign, no blank, no separator.
func parseNumber(text string) (int64, error) {
	if len(text) > 9 || strings.Trim(text, "0123456789") != "" || text == "" {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return strconv.ParseInt(text, 10, 64)
}
