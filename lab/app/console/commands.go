package console

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
)

// seed replaces all data by those of a file, or by Runbook's.
func (a application) seed(args []string, stdout, _ io.Writer) error {
	seed := Runbook()
	if len(args) > 0 {
		text, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		seed = Seed{}
		if err := json.Unmarshal(text, &seed); err != nil {
			return err
		}
	}
	err := a.store().transaction(func(d *data) error {
		*d = data{Seed: seed}
		return nil
	})
	if err != nil {
		return err
	}
	if err := os.RemoveAll(a.runLog()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%d centres, %d individus\n", len(seed.Centres), len(seed.Individuals))
	return err
}

// setField fills in a field of a person, as a social worker does in the application.
func (a application) setField(args []string, _, _ io.Writer) error {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) != 3 {
		return fmt.Errorf("want INDIVIDUAL SLUG VALUE")
	}
	id, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	return a.store().transaction(func(d *data) error {
		person := d.individual(id)
		if person == nil {
			return fmt.Errorf("no individual %d", id)
		}
		person.set(args[1], args[2])
		return nil
	})
}

func (i *Individual) set(slug, value string) {
	if i.Values == nil {
		i.Values = map[string]string{}
	}
	i.Values[slug] = value
}

// drift is other users of the application, who change data while a plan is under way: the last
// people of the origin whose household has no value at all get the rule's.
func (a application) drift(r rule, people int) error {
	return a.store().transaction(func(d *data) error {
		valued := map[int64]bool{}
		for _, person := range d.Individuals {
			if _, ok := person.Values[r.slug]; ok {
				valued[person.Household] = true
			}
		}
		for i, person := range slices.Backward(d.Individuals) {
			if people == 0 {
				break
			}
			if person.Centre == r.origin && !person.Deleted && !valued[person.Household] {
				d.Individuals[i].set(r.slug, r.value)
				people--
			}
		}
		return nil
	})
}

// tell prints what really happened, from the application's own data.
func (a application) tell(_ []string, stdout, _ io.Writer) error {
	d, err := a.store().read()
	if err != nil {
		return err
	}
	runs, err := a.runs()
	if err != nil {
		return err
	}
	told := Effects{Runs: runs, Effects: d.Effects, Accommodations: d.Accommodations}
	for _, centre := range d.Centres {
		told.Centres = append(told.Centres, Counted{centre, int64(d.followUps(centre.ID))})
	}
	for _, person := range d.Individuals {
		spot := Spot{ID: person.ID, Centre: person.Centre}
		if person.Accommodation != 0 {
			spot.Accommodation = &person.Accommodation
		}
		told.Individuals = append(told.Individuals, spot)
	}
	return json.NewEncoder(stdout).Encode(told)
}
