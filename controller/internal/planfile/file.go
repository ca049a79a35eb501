// Package planfile reads plan.toml, the form in which a person copies a ticket,
// as a plan.Plan; it asks for one in a conversation, explains one in words, and
// describes the form to editors.
package planfile

// file is plan.toml as it is written. The desc tags make the JSON schema.
type file struct {
	Version    int               `toml:"version" required:"true" desc:"version of this form: 1"`
	Ticket     string            `toml:"ticket" required:"true" desc:"link to the ticket"`
	Centre     string            `toml:"centre" required:"true" desc:"the name that the ticket goes by; the workbook's file is named after it"`
	Field      string            `toml:"field" desc:"slug of the custom field that chooses people (-f), for steps that name none"`
	Centres    map[string]string `toml:"centres" required:"true" desc:"name of each centre by its id, exactly as the console prints it"`
	ShortNames map[string]string `toml:"short_names" desc:"how the reports call a centre, by its id"`
	Groups     []group           `toml:"groups" required:"true" desc:"groups run one after the other; the next begins when the last is verified"`
}

type group struct {
	Name  string `toml:"name" desc:"what the group is for"`
	Steps []step `toml:"steps" required:"true" desc:"one run of the migration command each, in order"`
}

type step struct {
	Origin             int64      `toml:"origin" required:"true" desc:"id of the centre that loses people (-o)"`
	Destination        int64      `toml:"destination" required:"true" desc:"id of the centre that receives them (-d)"`
	Field              string     `toml:"field" desc:"slug of the custom field (-f); the plan's own where absent"`
	Value              string     `toml:"value" desc:"value of the field, exactly as in the files (-t)"`
	NoField            bool       `toml:"no_field" desc:"move everybody, whatever their fields say (--noField)"`
	WithDeleted        bool       `toml:"with_deleted" desc:"move deleted individuals too (--withDeleted)"`
	WithAccommodations bool       `toml:"with_accommodations" desc:"move their accommodations too (--withAccommodations)"`
	Decisions          []decision `toml:"decisions" desc:"what was decided on shared accommodations"`
}

type decision struct {
	Accommodation int64  `toml:"accommodation" required:"true" desc:"id of the accommodation"`
	Accepted      bool   `toml:"accepted" required:"true" desc:"true: it moves, and those who stay lose it"`
	By            string `toml:"by" required:"true" desc:"who decided"`
	Why           string `toml:"why" required:"true" desc:"for what reason"`
}
