package console

// Slug is the custom field of the runbook's migrations.
const Slug = "migration-des-donnees"

// The centres of the runbook's ticket.
const (
	CHU75 int64 = 4537
	CPH   int64 = 4960
	CHU77 int64 = 5644
	DAHAR int64 = 5634
	TEH   int64 = 5645
)

// The shared accommodation of the runbook: two of its people stay where one moves.
const (
	Shared     int64 = 892
	sharedMove int64 = 1035
)

// share is how many people of a centre have a value.
type share struct {
	value  string
	people int
}

// Runbook is the data behind the runbook's example: its totals, its volumes, its conflict.
func Runbook() Seed {
	s := Seed{
		Centres: []Centre{
			{CHU75, "France Fraternités - CHU 75"}, {CPH, "France Fraternités - CPH"}, {DAHAR, "France Fraternités - DAHAR"},
			{CHU77, "France Fraternités - CHU 77"}, {TEH, "France Fraternités - TEH"},
		},
		Fields: []string{Slug},
	}
	s.populate(CHU75, 1001, 160, []share{{"CHU 77", 41}, {"", 1}, {"CPH", 10}, {"DAHAR", 19}, {"", 7}, {"TEH", 7}})
	s.populate(CPH, 2001, 180, []share{{"CHU 75", 21}, {"CHU 77", 37}, {"DAHAR", 35}, {"TEH", 17}})
	// The principal member of this household says CPH: what this one says does not count.
	s.individual(1044).Values = map[string]string{Slug: "CHU 77"}
	s.bury(1158, 1159, 1160)
	s.house(Shared, CHU75, sharedMove, 1042, 1078)
	s.house(893, CHU75, 1001, 1002, 1003)
	s.house(894, CHU75, 1010)
	s.house(895, CHU75, 1150, 1151)
	s.house(901, CPH, 2001)
	return s
}

// populate gives a centre its people, in households of one, two and three.
func (s *Seed) populate(centre, first int64, total int, shares []share) {
	id, households := first, 0
	for _, share := range append(shares, share{"", total}) {
		for left := min(share.people, total-int(id-first)); left > 0; households++ {
			size := min(1+households%3, left)
			bearer := 0
			if households%4 == 3 {
				bearer = size - 1 // the principal member has no value: the others are asked
			}
			s.household(centre, id, size, bearer, share.value)
			id += int64(size)
			left -= size
		}
	}
}

// household adds people of whom the first is the principal member; the bearer has the value.
func (s *Seed) household(centre, first int64, size, bearer int, value string) {
	for i := range size {
		member := Individual{ID: first + int64(i), Centre: centre, Household: first, Principal: i == 0}
		if value != "" && i == bearer {
			member.Values = map[string]string{Slug: value}
		}
		s.Individuals = append(s.Individuals, member)
	}
}

// bury deletes people softly; a value that they had is still there.
func (s *Seed) bury(ids ...int64) {
	for _, id := range ids {
		person := s.individual(id)
		person.Deleted, person.Household, person.Principal = true, id, true
		person.Values = map[string]string{Slug: "CHU 77"}
	}
}

// house lets people live in an accommodation of the centre.
func (s *Seed) house(accommodation, centre int64, people ...int64) {
	s.Accommodations = append(s.Accommodations, Accommodation{accommodation, centre})
	for _, id := range people {
		s.individual(id).Accommodation = accommodation
	}
}

func (s *Seed) individual(id int64) *Individual {
	for i := range s.Individuals {
		if s.Individuals[i].ID == id {
			return &s.Individuals[i]
		}
	}
	return nil
}
