package console

// Seed is the application's data as far as migrations read and change it, in the form of
// lab/symfony/seed.json, which `app:seed-migration` of both consoles reads.
type Seed struct {
	Centres        []Centre        `json:"centres"`
	Fields         []string        `json:"fields"` // slugs
	Accommodations []Accommodation `json:"accommodations,omitempty"`
	Individuals    []Individual    `json:"individuals"`
}

// Centre is an organisation that follows people.
type Centre struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Accommodation is a place to live that belongs to a centre.
type Accommodation struct {
	ID     int64 `json:"id"`
	Centre int64 `json:"centre"`
}

// Individual is a person whom a centre follows. Members of one household share its number;
// one of them is the principal member.
type Individual struct {
	ID            int64             `json:"id"`
	Centre        int64             `json:"centre"`
	Household     int64             `json:"household"`
	Principal     bool              `json:"principal,omitempty"`
	Deleted       bool              `json:"deleted,omitempty"`       // softly: the row is still there
	Accommodation int64             `json:"accommodation,omitempty"` // the spot; 0 for none
	Values        map[string]string `json:"values,omitempty"`        // of custom fields, by slug
}

// Effect is one change that a run made. Kind is moved (an individual), accommodation (one
// that changed its centre), or detached (an individual who lost the spot).
type Effect struct {
	Run         string `json:"run"`
	Kind        string `json:"kind"`
	Subject     int64  `json:"subject"`
	Origin      *int64 `json:"origin"`
	Destination *int64 `json:"destination"`
	At          string `json:"at"`
}

// Run is one start of the migration command, dry or not. Args are what PHP got after the command's name.
type Run struct {
	Run    string   `json:"run"`
	DryRun bool     `json:"dry_run"`
	Args   []string `json:"args"`
	At     string   `json:"at"`
}

// Effects is what `app:migration-effects` of both consoles prints: what happened, by the
// application's own data, so that a test need not believe any output.
type Effects struct {
	Runs           []Run           `json:"runs"`
	Effects        []Effect        `json:"effects"`
	Centres        []Counted       `json:"centres"`
	Individuals    []Spot          `json:"individuals"`
	Accommodations []Accommodation `json:"accommodations"`
}

// Counted is a centre with how many people it follows.
type Counted struct {
	Centre
	FollowUps int64 `json:"follow_ups"`
}

// Spot is where an individual is followed, and lives.
type Spot struct {
	ID            int64  `json:"id"`
	Centre        int64  `json:"centre"`
	Accommodation *int64 `json:"accommodation"`
}

// Real are the runs that were no dry runs, in their order.
func (e Effects) Real() []Run {
	var real []Run
	for _, run := range e.Runs {
		if !run.DryRun {
			real = append(real, run)
		}
	}
	return real
}

// Moves are how often each individual was moved: more than once is a step that ran twice.
func (e Effects) Moves() map[int64]int {
	moves := map[int64]int{}
	for _, effect := range e.Effects {
		if effect.Kind == "moved" {
			moves[effect.Subject]++
		}
	}
	return moves
}
