package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/re-connect/rpctl/agent/internal/config"
	"github.com/re-connect/rpctl/proto"
)

// rule is a key of agent.toml and when a change of its value loosens. A key that is not in the table loosens whatever
// its change is, so that a new key is never taken for harmless.
type rule struct {
	name    string // as it is shown
	zero    string // what a missing value means
	loosens func(old, new string) bool
}

// rules are by the keys of proto.HostConfig. A list has one value for each element: more of them loosen.
var rules = map[string]rule{
	"environment":              {"environment", "", set},
	"application.path":         {"application.path", "", set},
	"application.user":         {"application.user", "", set},
	"workers":                  {"workers", "", set},
	"look":                     {"access.look", "", set},
	"act":                      {"access.act", "", set},
	"console.php":              {"console.php", "", set},
	"console.script":           {"console.script", "", set},
	"console.after":            {"console.after", "", func(old, _ string) bool { return old != "" }},
	"console.self_approval":    {"console.self_approval", "false", becomes("true")},
	"console.break_glass":      {"console.break_glass", "false", becomes("true")},
	"console.require_sk":       {"console.require_sk", "false", becomes("false")},
	"console.tolerance":        {"console.tolerance", "0", rises},
	"console.simulation_hours": {"console.simulation_hours", "0", rises},
	"console.approval_days":    {"console.approval_days", "0", rises},
	"console.receipt_days":     {"console.receipt_days", "0", rises},
}

func set(_, new string) bool { return new != "" }

func becomes(value string) func(old, new string) bool {
	return func(_, new string) bool { return new == value }
}

func rises(old, new string) bool {
	before, oldErr := strconv.ParseInt(old, 10, 64)
	after, newErr := strconv.ParseInt(new, 10, 64)
	return oldErr != nil || newErr != nil || after > before
}

// ruleDifferences compares what the host's agent.toml means with what it shall mean. Where there is none yet, the host
// allows nothing: all is new, and nothing is loosened.
func ruleDifferences(old []byte, there bool, wanted proto.HostConfig) ([]proto.SetupDifference, error) {
	var before proto.HostConfig
	if there {
		var err error
		if before, err = config.Parse(proto.ConfigPath, old); err != nil {
			return []proto.SetupDifference{{Name: "rules", Old: notUnderstood, New: "as in hosts.toml", Effect: proto.EffectLoosens}}, nil
		}
	}
	is, err := values(before)
	if err != nil {
		return nil, err
	}
	shall, err := values(wanted)
	if err != nil {
		return nil, err
	}
	var all []proto.SetupDifference
	keys := maps.Clone(is)
	maps.Copy(keys, shall)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		r, known := rules[key]
		if !known {
			r = rule{name: key, loosens: func(string, string) bool { return true }}
		}
		// A host that runs no console any more enforces no rule of it, and needs none.
		gone := strings.HasPrefix(key, "console.") && wanted.Console == nil
		for _, difference := range pairs(is[key], shall[key], r.zero) {
			difference.Name = r.name
			if there && !gone && r.loosens(difference.Old, difference.New) {
				difference.Effect = proto.EffectLoosens
			}
			all = append(all, difference)
		}
	}
	return all, nil
}

// pairs is what is in one of the two lists only. A single value that became another is one difference.
func pairs(old, new []string, zero string) []proto.SetupDifference {
	if len(old) <= 1 && len(new) <= 1 {
		before, after := zero, zero
		if len(old) == 1 {
			before = old[0]
		}
		if len(new) == 1 {
			after = new[0]
		}
		if before == after {
			return nil
		}
		return []proto.SetupDifference{{Old: before, New: after}}
	}
	var all []proto.SetupDifference
	for _, value := range old {
		if !slices.Contains(new, value) {
			all = append(all, proto.SetupDifference{Old: value})
		}
	}
	for _, value := range new {
		if !slices.Contains(old, value) {
			all = append(all, proto.SetupDifference{New: value})
		}
	}
	return all
}

// values is a configuration by key, "console.tolerance", as text. It walks the JSON form, so that no key is forgotten.
func values(cfg proto.HostConfig) (map[string][]string, error) {
	data, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree map[string]any
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	all := map[string][]string{}
	flatten("", tree, all)
	return all, nil
}

func flatten(key string, value any, into map[string][]string) {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			flatten(strings.TrimPrefix(key+"."+name, "."), inner, into)
		}
	case []any:
		for _, element := range value {
			flatten(key, element, into)
		}
	case nil:
	default:
		if text := fmt.Sprint(value); text != "" {
			into[key] = append(into[key], text)
		}
	}
}
