package console

import (
	"cmp"
	"fmt"
	"slices"
)

// survey is what a rule would do to the data as they are: read once, before anything is moved.
type survey struct {
	rule        rule
	data        *data
	individuals []int64 // in the order in which they move
	conflicts   []conflict
	// accommodations of the origin in which someone lives who moves.
	accommodations []int64
}

// conflict is an accommodation shared by people who move and people who stay.
type conflict struct {
	accommodation   int64
	staying, moving []int64
}

func look(d *data, r rule) (*survey, error) {
	s := &survey{rule: r, data: d}
	for _, centre := range []struct {
		which string
		id    int64
	}{{"d'origine", r.origin}, {"de destination", r.destination}} {
		if s.name(centre.id) == nil {
			return nil, refusal(fmt.Sprintf("Centre %s introuvable: %d", centre.which, centre.id))
		}
	}
	if r.slug != "" && !slices.Contains(d.Fields, r.slug) {
		return nil, refusal("Champ introuvable: " + r.slug)
	}
	slices.SortFunc(d.Individuals, func(a, b Individual) int { return cmp.Compare(a.ID, b.ID) })
	s.choose()
	s.lookAtAccommodations()
	return s, nil
}

func (s *survey) name(id int64) *string {
	for i := range s.data.Centres {
		if s.data.Centres[i].ID == id {
			return &s.data.Centres[i].Name
		}
	}
	return nil
}

// followUps counts every follow-up of the centre, whatever the options.
func (s *survey) followUps(centre int64) int { return s.data.followUps(centre) }

func (d *data) followUps(centre int64) int {
	n := 0
	for _, person := range d.Individuals {
		if person.Centre == centre {
			n++
		}
	}
	return n
}

// sees says whether the rule can see a person at all: others are as good as not there.
func (s *survey) sees(person Individual) bool { return s.rule.withDeleted || !person.Deleted }

// choose finds who moves. A household goes where its principal member's value says; where that
// one has none, the first other member's with a value. Members already moved are asked too: a
// run that broke off in the middle of a household must find the rest of it.
func (s *survey) choose() {
	valueOf := map[int64]string{}
	for _, principal := range []bool{true, false} {
		for _, person := range s.data.Individuals {
			value := person.Values[s.rule.slug]
			if person.Principal == principal && s.sees(person) && value != "" && valueOf[person.Household] == "" {
				valueOf[person.Household] = value
			}
		}
	}
	for _, person := range s.data.Individuals {
		wanted := s.rule.slug == "" || valueOf[person.Household] == s.rule.value
		if person.Centre == s.rule.origin && s.sees(person) && wanted {
			s.individuals = append(s.individuals, person.ID)
		}
	}
}

func (s *survey) lookAtAccommodations() {
	all := slices.Clone(s.data.Accommodations)
	slices.SortFunc(all, func(a, b Accommodation) int { return cmp.Compare(a.ID, b.ID) })
	for _, accommodation := range all {
		if accommodation.Centre != s.rule.origin {
			continue
		}
		found := conflict{accommodation: accommodation.ID}
		for _, person := range s.data.Individuals {
			if person.Accommodation != accommodation.ID || person.Centre != s.rule.origin || !s.sees(person) {
				continue
			}
			if slices.Contains(s.individuals, person.ID) {
				found.moving = append(found.moving, person.ID)
			} else {
				found.staying = append(found.staying, person.ID)
			}
		}
		if len(found.moving) > 0 {
			s.accommodations = append(s.accommodations, accommodation.ID)
		}
		if len(found.moving) > 0 && len(found.staying) > 0 {
			s.conflicts = append(s.conflicts, found)
		}
	}
}

// staying are those who lose an accommodation that moves.
func (s *survey) staying(accommodation int64) []int64 {
	for _, c := range s.conflicts {
		if c.accommodation == accommodation {
			return c.staying
		}
	}
	return nil
}
