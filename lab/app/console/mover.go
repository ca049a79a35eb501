package console

import (
	"slices"
	"time"
)

// mover moves people in batches, each flushed by itself: what a command that dies in the
// middle has flushed, stays.
type mover struct {
	store  store
	rule   rule
	survey *survey
	knobs  *knobs
	run    string
}

// move calls moved after each person.
func (m mover) move(moved func()) error {
	row := 0
	for batch := range slices.Chunk(m.survey.individuals, m.knobs.Batch) {
		for range batch {
			row++
			if err := m.knobs.atRow(row); err != nil {
				return err
			}
			moved()
		}
		err := m.store.transaction(func(d *data) error {
			for _, id := range batch {
				m.one(d, id)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// one moves a person. Like the real command it does not ask again whether the person is still
// there: a second run at the same time shows in the effects.
func (m mover) one(d *data, id int64) {
	person := d.individual(id)
	switch {
	case person.Accommodation == 0:
	case m.rule.withAccommodations:
		m.take(d, person.Accommodation)
	default:
		m.detach(d, id)
	}
	person.Centre = m.rule.destination
	m.log(d, "moved", id, &m.rule.origin, &m.rule.destination)
}

// take lets the accommodation go along; those who stay lose it.
func (m mover) take(d *data, id int64) {
	at := slices.IndexFunc(d.Accommodations, func(a Accommodation) bool { return a.ID == id })
	if at < 0 || d.Accommodations[at].Centre != m.rule.origin {
		return // it went with somebody before
	}
	d.Accommodations[at].Centre = m.rule.destination
	m.log(d, "accommodation", id, &m.rule.origin, &m.rule.destination)
	for _, person := range m.survey.staying(id) {
		m.detach(d, person)
	}
}

func (m mover) detach(d *data, id int64) {
	d.individual(id).Accommodation = 0
	m.log(d, "detached", id, nil, nil)
}

func (m mover) log(d *data, kind string, subject int64, from, to *int64) {
	d.Effects = append(d.Effects, Effect{m.run, kind, subject, from, to, now()})
}

func now() string { return time.Now().Format("2006-01-02T15:04:05.000Z07:00") }
