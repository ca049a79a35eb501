package console

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// migrate moves people's files from one centre to another: options, tables and texts are the runbook's.
func (a application) migrate(args []string, stdout, stderr io.Writer) error {
	in, err := parse(args)
	if err != nil {
		return err
	}
	dryRun := in.has("dry-run")
	run, err := a.beginRun(dryRun, args)
	if err != nil {
		return err
	}
	knobs, err := a.knobs()
	if err != nil {
		return refusal(err.Error())
	}
	out := output{stdout, knobs.Decorated != nil && *knobs.Decorated}
	r, found, err := a.prepare(in, knobs, dryRun)
	if refused, ok := err.(refusal); ok {
		return refusal(out.styled(errorStyle, string(refused)))
	}
	if err != nil {
		return err
	}
	out.noiseBefore(knobs)
	found.show(out, knobs)
	if dryRun {
		knobs.lingerInDryRun()
	} else if err := (mover{a.store(), r, found, knobs, run}).withBar(out, stderr); err != nil {
		return err
	}
	out.noiseAfter(knobs)
	return nil
}

// prepare reads the rule and what it would do; its error is a refusal, or the store's.
func (a application) prepare(in input, k *knobs, dryRun bool) (rule, *survey, error) {
	r, err := ruleOf(in)
	if err != nil {
		return rule{}, nil, err
	}
	if !dryRun && k.DriftPeople > 0 && r.slug != "" {
		if err := a.drift(r, k.DriftPeople); err != nil {
			return rule{}, nil, err
		}
	}
	d, err := a.store().read()
	if err != nil {
		return rule{}, nil, err
	}
	found, err := look(d, r)
	return r, found, err
}

// show prints the recapitulation (runbook, étape 2).
func (s *survey) show(out output, k *knobs) {
	moved := len(s.individuals)
	from, to := s.followUps(s.rule.origin), s.followUps(s.rule.destination)
	t := table{style: styles[k.Style], headers: []string{"Rôle", "Centre ID", "Centre Nom", "Nb. suivis", "Après migration"}}
	t.add("Origine", id(s.rule.origin), wrap(*s.name(s.rule.origin), k.Wrap), strconv.Itoa(from), fmt.Sprintf("%d (- %d migrés)", from-moved, moved))
	t.add("Destination", id(s.rule.destination), wrap(*s.name(s.rule.destination), k.Wrap), strconv.Itoa(to), fmt.Sprintf("%d (+ %d entrants)", to+moved, moved))
	t.render(out)
	out.noiseBetween(k)
	if s.rule.withAccommodations {
		s.showAccommodations(out, k)
	}
}

func (s *survey) showAccommodations(out output, k *knobs) {
	out.line(out.styled(infoStyle, fmt.Sprintf("Hébergements à migrer: %d", len(s.accommodations))))
	if len(s.conflicts) == 0 {
		return
	}
	out.line(out.styled(errorStyle, "Problème: Hébergements avec individus non migrés rattachés"))
	t := table{style: styles[k.Style], headers: []string{"Centre ID", "Hébergement ID", "Individus non migrés", "Individus migrés"}}
	for _, c := range s.conflicts {
		t.add(id(s.rule.origin), id(c.accommodation), ids(c.staying), ids(c.moving))
	}
	t.render(out)
}

// withBar moves, with a progress bar on standard error.
func (m mover) withBar(out output, stderr io.Writer) error {
	people := len(m.survey.individuals)
	if people > 0 {
		bar := &progress{out: output{stderr, out.decorated}, max: people}
		bar.draw()
		if err := m.move(bar.advance); err != nil {
			return err
		}
		bar.out.line("")
	}
	out.line(out.styled(infoStyle, fmt.Sprintf("Migration terminée: %d suivis migrés", people)))
	return nil
}

func id(n int64) string { return strconv.FormatInt(n, 10) }

func ids(all []int64) string {
	texts := make([]string, len(all))
	for i, n := range all {
		texts[i] = id(n)
	}
	return strings.Join(texts, ", ")
}
