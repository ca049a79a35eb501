package inventory

import (
	"encoding/json"
	"reflect"

	"github.com/re-connect/rpctl/internal/printable"
)

// Difference is a key of an environment whose value differs between two files.
type Difference struct{ Key, Old, New string }

// Differences are the keys in which an environment was old and is now, in the order of the file. Each value is one
// printable line: [] or null where there is none.
func Differences(old, now Environment) []Difference {
	var all []Difference
	was, is := old.values(), now.values()
	for i, key := range was {
		if !reflect.DeepEqual(key.value, is[i].value) {
			all = append(all, Difference{key.name, written(key.value), written(is[i].value)})
		}
	}
	return all
}

func (d Difference) String() string { return d.Key + " is " + d.New + " here and " + d.Old + " there" }

type value struct {
	name  string
	value any
}

// values are all that an environment says, by the names of the file.
func (e Environment) values() []value {
	return []value{
		{"name", e.Name}, {"hosts", e.Hosts}, {"branch", e.Branch}, {"prepare", e.Prepare}, {"deploy", e.Deploy}, {"rollback", e.Rollback},
		{"workers", e.Workers}, {"application", e.Application}, {"console_host", e.ConsoleHost}, {"console", e.Console},
		{"approvers", e.Approvers}, {"trusted_hosts", e.TrustedHosts}, {"operators", e.Operators}, {"access.look", e.Look}, {"access.act", e.Act},
		{"health", e.Health}, {"after", e.After}, {"confirm", e.Confirm},
	}
}

func written(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "unreadable"
	}
	return printable.Excerpt(string(text), 300)
}
