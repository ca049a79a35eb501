// Package jobstest is a host for tests of jobs: a model of the application's data, a
// console command that works on it and prints what the real one prints, and people
// with keys. It is in no shipped binary.
package jobstest

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/re-connect/rpctl/proto/plan"
)

// Person is one file of the application: in which centre it is, and what its field says.
type Person struct {
	Centre int64
	Value  string
}

// World is the application's data.
type World struct {
	Names  map[int64]string
	People []Person
	// Conflicts are rows of the conflicts' table, by origin.
	Conflicts map[int64][]string
	// Lived is in how many accommodations the people of each step live.
	Lived int
	// Stuck is how many accommodations stay where they were when all people have moved.
	Stuck int
}

// Count is how many people a centre has.
func (w *World) Count(centre int64) int {
	n := 0
	for _, p := range w.People {
		if p.Centre == centre {
			n++
		}
	}
	return n
}

// Add puts people into a centre.
func (w *World) Add(centre int64, value string, n int) {
	for range n {
		w.People = append(w.People, Person{centre, value})
	}
}

// chosen are the people that a step moves.
func (w *World) chosen(step plan.Step) []int {
	var all []int
	for i, p := range w.People {
		if p.Centre == step.Origin.ID && (step.NoField || p.Value == step.Value) {
			all = append(all, i)
		}
	}
	return all
}

// Move moves all people of a step, as a command that was run before has done.
func (w *World) Move(step plan.Step) { w.move(step, false, -1) }

// move moves at most limit of a step's people (all below 0) and returns what the command prints first.
func (w *World) move(step plan.Step, dry bool, limit int) string {
	chosen := w.chosen(step)
	from, to := w.Count(step.Origin.ID), w.Count(step.Destination.ID)
	text := table([]string{"Rôle", "Centre ID", "Centre Nom", "Nb. suivis", "Après migration"}, [][]string{
		{"Origine", fmt.Sprint(step.Origin.ID), w.Names[step.Origin.ID], fmt.Sprint(from), fmt.Sprintf("%d (- %d migrés)", from-len(chosen), len(chosen))},
		{"Destination", fmt.Sprint(step.Destination.ID), w.Names[step.Destination.ID], fmt.Sprint(to), fmt.Sprintf("%d (+ %d entrants)", to+len(chosen), len(chosen))},
	})
	if step.WithAccommodations {
		lived := w.Stuck
		if len(chosen) > 0 {
			lived = w.Lived
		}
		text += fmt.Sprintf("Hébergements à migrer: %d\n", lived)
		if row := w.Conflicts[step.Origin.ID]; row != nil && lived > 0 {
			text += "Problème: Hébergements avec individus non migrés rattachés\n" +
				table([]string{"Centre ID", "Hébergement ID", "Individus non migrés", "Individus migrés"}, [][]string{row})
		}
	}
	if dry {
		return text
	}
	for n, i := range chosen {
		if limit >= 0 && n >= limit {
			break
		}
		w.People[i].Centre = step.Destination.ID
	}
	return text
}

// table is Symfony's default style.
func table(head []string, rows [][]string) string {
	widths := make([]int, len(head))
	for _, row := range append([][]string{head}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	border := func() {
		for _, width := range widths {
			out.WriteString("+" + strings.Repeat("-", width+2))
		}
		out.WriteString("+\n")
	}
	line := func(cells []string) {
		for i, cell := range cells {
			out.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + " ")
		}
		out.WriteString("|\n")
	}
	border()
	line(head)
	border()
	for _, row := range rows {
		line(row)
	}
	border()
	return out.String()
}
