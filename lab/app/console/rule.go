package console

import (
	"regexp"
	"strconv"
)

// rule is what the options of one migration say.
type rule struct {
	origin, destination             int64
	slug, value                     string // slug is empty with --noField
	withDeleted, withAccommodations bool
}

// refusal is what the command says, before it has touched anything.
type refusal string

func (r refusal) Error() string { return string(r) }

func (r refusal) text() string { return string(r) }

var number = regexp.MustCompile(`^[0-9]{1,9}$`)

// ruleOf reads the options; the error is a refusal in words for whoever typed them.
func ruleOf(in input) (rule, error) {
	r := rule{slug: in["targetFieldSlug"], value: in["targetFieldValue"],
		withDeleted: in.has("withDeleted"), withAccommodations: in.has("withAccommodations")}
	asked := in.has("targetFieldSlug") || in.has("targetFieldValue")
	switch {
	case in.has("noField") && asked:
		return rule{}, refusal("L'option --noField est incompatible avec -f / -t.")
	case !in.has("noField") && (!in.has("targetFieldSlug") || r.value == ""):
		return rule{}, refusal("Les options -f et -t sont requises sans --noField.")
	}
	var err error
	if r.origin, err = centreOf(in["originOrganization"], "-o"); err != nil {
		return rule{}, err
	}
	if r.destination, err = centreOf(in["destinationOrganization"], "-d"); err != nil {
		return rule{}, err
	}
	if r.origin == r.destination {
		return rule{}, refusal("Le centre d'origine et le centre de destination sont identiques.")
	}
	return r, nil
}

func centreOf(text, option string) (int64, error) {
	if !number.MatchString(text) {
		return 0, refusal("L'option " + option + " est requise: l'ID d'un centre.")
	}
	return strconv.ParseInt(text, 10, 64)
}
