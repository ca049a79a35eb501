// Package plan is a migration of people's files as both sides read it: the
// controller reads it from plan.toml, the host checks it again and builds the
// console's argv from it. It imports the standard library only.
//
// The procedure, the options and the texts are those of the runbook
// "RP - Migration des dossiers usagers".
package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Version is the version of a plan's form.
const Version = 1

// Plan is what a ticket asks for. Its groups run one after the other: the next
// one begins only after the last one is verified.
type Plan struct {
	Version int     `json:"version"`
	Ticket  string  `json:"ticket"` // link to the ticket
	Centre  string  `json:"centre"` // the name that the ticket goes by, and its Excel file
	Groups  []Group `json:"groups"`
}

// Group is steps that may follow each other without a person looking in between.
type Group struct {
	Name  string `json:"name"`
	Steps []Step `json:"steps"`
}

// Step is one run of the migration command.
type Step struct {
	Origin      Centre `json:"origin"`
	Destination Centre `json:"destination"`
	// Field and Value choose the people to move; NoField moves all of them instead.
	Field   string `json:"field,omitempty"`
	Value   string `json:"value,omitempty"`
	NoField bool   `json:"no_field,omitempty"`

	WithDeleted        bool       `json:"with_deleted,omitempty"`
	WithAccommodations bool       `json:"with_accommodations,omitempty"`
	Decisions          []Decision `json:"decisions,omitempty"`
}

// Centre is an organisation. Name is a check against what the console prints;
// Short is how the reports call it where it is a destination.
type Centre struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Short string `json:"short,omitempty"`
}

// Decision is a person's word on a shared accommodation: accepted means that
// the people who stay lose it.
type Decision struct {
	Accommodation int64  `json:"accommodation"`
	Accepted      bool   `json:"accepted"`
	By            string `json:"by"`
	Why           string `json:"why"`
}

// StepID names a step within its plan, for people and for files: "1.2" is the second step of the first group.
type StepID string

// Located is a step with its place in the plan.
type Located struct {
	ID    StepID
	Group int // from 0
	Place int // from 0, within the group
	Index int // from 0, over the whole plan
	Step
}

// Steps are all steps in the order in which they run.
func (p Plan) Steps() []Located {
	var all []Located
	for g, group := range p.Groups {
		for s, step := range group.Steps {
			id := StepID(fmt.Sprintf("%d.%d", g+1, s+1))
			all = append(all, Located{ID: id, Group: g, Place: s, Index: len(all), Step: step})
		}
	}
	return all
}

// Digest is sha256, hex, over the plan's canonical form: what is approved and
// what receipts speak of. Comments and the layout of plan.toml do not count.
func (p Plan) Digest() string {
	sum := sha256.Sum256(p.Canonical())
	return hex.EncodeToString(sum[:])
}

// Canonical is the plan as compact JSON with the fields in the order of the types.
func (p Plan) Canonical() []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(p); err != nil {
		panic(err) // a struct of strings, numbers and booleans cannot fail
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
