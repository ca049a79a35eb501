package plan

import (
	"fmt"
	"maps"
)

// Figures are what a dry run of one step printed, on the data before the plan.
type Figures struct {
	Origin      int64 `json:"origin"`      // follow-ups of the origin
	Destination int64 `json:"destination"` // follow-ups of the destination
	Moved       int64 `json:"moved"`
}

// Forecast is what a step's own dry run must print when its turn comes, and so
// what the real run must do.
type Forecast struct {
	Step StepID `json:"step"`
	// OriginBefore and the others are follow-ups of the two centres.
	OriginBefore      int64 `json:"origin_before"`
	OriginAfter       int64 `json:"origin_after"`
	DestinationBefore int64 `json:"destination_before"`
	DestinationAfter  int64 `json:"destination_after"`
	Moved             int64 `json:"moved"`
}

// NoneDone is for a plan that has not begun.
func NoneDone(StepID) bool { return false }

// Forecasts says what each step that is not done will do when the steps run one after the other, from
// dry runs that all saw the data as it is now. A step that is done has an empty forecast, and its figures
// are not looked at. It fails when two dry runs do not agree on a centre's total: the data moved in between.
func Forecasts(p Plan, simulated []Figures, done func(StepID) bool) ([]Forecast, error) {
	steps := p.Steps()
	if len(steps) != len(simulated) {
		return nil, fmt.Errorf("%d steps, but %d dry runs", len(steps), len(simulated))
	}
	m := model{totals: map[int64]int64{}, arrived: map[people]int64{}, net: map[int64]int64{}, emptied: map[int64]bool{}}
	for i, step := range steps {
		if done(step.ID) {
			continue
		}
		if err := m.start(step, simulated[i]); err != nil {
			return nil, err
		}
	}
	all := make([]Forecast, len(steps))
	for i, step := range steps {
		if done(step.ID) {
			continue
		}
		forecast, err := m.move(step, simulated[i].Moved)
		if err != nil {
			return nil, err
		}
		all[i] = forecast
	}
	return all, nil
}

// people are those of a centre whom one rule chooses.
type people struct {
	centre       int64
	field, value string
}

// model is the centres as the plan's steps change them.
type model struct {
	totals  map[int64]int64  // follow-ups of each centre
	arrived map[people]int64 // whom earlier steps brought, or took away
	net     map[int64]int64  // arrivals less departures of a centre
	emptied map[int64]bool   // a step without a field has moved everybody: the dry runs' people are gone
}

// start takes the totals that a dry run saw.
func (m *model) start(step Located, f Figures) error {
	for id, total := range map[int64]int64{step.Origin.ID: f.Origin, step.Destination.ID: f.Destination} {
		if before, ok := m.totals[id]; ok && before != total {
			return fmt.Errorf("step %s saw %d follow-ups in centre %d, an earlier dry run saw %d: the data changed in between, simulate again",
				step.ID, total, id, before)
		}
		m.totals[id] = total
	}
	return nil
}

// move lets a step do what it did in its dry run, to those who are there when its turn comes.
func (m *model) move(step Located, simulated int64) (Forecast, error) {
	from, to := step.Origin.ID, step.Destination.ID
	moved := m.chosen(step, simulated)
	f := Forecast{
		Step: step.ID, Moved: moved,
		OriginBefore: m.totals[from], OriginAfter: m.totals[from] - moved,
		DestinationBefore: m.totals[to], DestinationAfter: m.totals[to] + moved,
	}
	if moved < 0 || f.OriginAfter < 0 {
		return Forecast{}, fmt.Errorf("step %s would leave %d follow-ups in centre %d: the dry runs do not fit together",
			step.ID, f.OriginAfter, from)
	}
	m.apply(step, moved)
	return f, nil
}

// chosen is how many people a step finds: those of its dry run, unless they are gone, and those who came since.
func (m *model) chosen(step Located, simulated int64) int64 {
	if m.emptied[step.Origin.ID] {
		simulated = 0
	}
	if step.NoField {
		return simulated + m.net[step.Origin.ID]
	}
	return simulated + m.arrived[people{step.Origin.ID, step.Field, step.Value}]
}

// apply changes the centres as a step does.
func (m *model) apply(step Located, moved int64) {
	from, to := step.Origin.ID, step.Destination.ID
	m.totals[from] -= moved
	m.totals[to] += moved
	m.net[from] -= moved
	m.net[to] += moved
	if !step.NoField {
		m.arrived[people{from, step.Field, step.Value}] -= moved
		m.arrived[people{to, step.Field, step.Value}] += moved
		return
	}
	m.emptied[from], m.net[from] = true, 0
	maps.DeleteFunc(m.arrived, func(p people, _ int64) bool { return p.centre == from })
}
