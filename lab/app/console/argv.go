package console

import (
	"fmt"
	"strings"
)

// option is an option of a command, as Symfony's InputDefinition has it.
type option struct {
	name     string
	shortcut byte // 0 for none
	value    bool // required; an option without one is a flag
}

// options are those of the migration command (runbook, "Options disponibles") and the ones
// that every command of Symfony has.
var options = []option{
	{"originOrganization", 'o', true}, {"destinationOrganization", 'd', true},
	{"targetFieldSlug", 'f', true}, {"targetFieldValue", 't', true},
	{"noField", 0, false}, {"withDeleted", 0, false}, {"withAccommodations", 0, false}, {"dry-run", 0, false},
	{"help", 'h', false}, {"quiet", 'q', false}, {"verbose", 'v', false}, {"version", 'V', false},
	{"ansi", 0, false}, {"no-ansi", 0, false}, {"no-interaction", 'n', false},
}

// input is what Symfony's ArgvInput makes of the tokens after a command's name: a flag's value is "".
type input map[string]string

// parse reads tokens as ArgvInput does, so that what the console here takes for an option is
// what the real one takes for one.
func parse(tokens []string) (input, error) {
	in := input{}
	for rest := tokens; len(rest) > 0; {
		token := rest[0]
		rest = rest[1:]
		var err error
		switch {
		case strings.HasPrefix(token, "--") && token != "--":
			rest, err = in.long(token[2:], rest)
		case strings.HasPrefix(token, "-") && token != "-" && token != "--":
			rest, err = in.short(token[1:], rest)
		case token == "--" && len(rest) == 0:
		default:
			err = usageError(fmt.Sprintf("No arguments expected for %q command, got %q.", CommandMigrate, token))
		}
		if err != nil {
			return nil, err
		}
	}
	return in, nil
}

// usageError is said as Symfony says it.
type usageError string

func (e usageError) Error() string { return string(e) }

// long is name or name=value.
func (in input) long(name string, rest []string) ([]string, error) {
	name, value, tied := strings.Cut(name, "=")
	for _, o := range options {
		if o.name == name {
			return in.add(o, value, tied, rest)
		}
	}
	return nil, usageError(fmt.Sprintf("The \"--%s\" option does not exist.", name))
}

// short is one shortcut with its value, or several flags at once.
func (in input) short(name string, rest []string) ([]string, error) {
	for i := range len(name) {
		o, known := byShortcut(name[i])
		if !known {
			return nil, usageError(fmt.Sprintf("The \"-%s\" option does not exist.", name[i:i+1]))
		}
		if o.value {
			return in.add(o, name[i+1:], i+1 < len(name), rest)
		}
		in[o.name] = ""
	}
	return rest, nil
}

func byShortcut(shortcut byte) (option, bool) {
	for _, o := range options {
		if o.shortcut == shortcut && shortcut != 0 {
			return o, true
		}
	}
	return option{}, false
}

// add takes the option's value, from the next token where none is tied to it. A next token that
// begins with a dash is none: only `=` can bring such a value.
func (in input) add(o option, value string, tied bool, rest []string) ([]string, error) {
	switch {
	case tied && !o.value:
		return nil, usageError(fmt.Sprintf("The \"--%s\" option does not accept a value.", o.name))
	case tied || !o.value:
	case len(rest) > 0 && !strings.HasPrefix(rest[0], "-"):
		value, rest = rest[0], rest[1:]
	default:
		return nil, usageError(fmt.Sprintf("The \"--%s\" option requires a value.", o.name))
	}
	in[o.name] = value
	return rest, nil
}

func (in input) has(name string) bool {
	_, ok := in[name]
	return ok
}
