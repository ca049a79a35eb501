package systemd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/proto"
)

// allowed is one line of the polkit rule's table; every field is JavaScript source.
type allowed struct{ Before, After, Instance, Verbs string }

// renderRule lists the agent's own job templates and those worker patterns whose template is on the host.
// text/template would find methods by name: with it in the program, the linker keeps every exported method.
func renderRule(patterns []proto.UnitPattern, templates []string) ([]byte, error) {
	var table []allowed
	for _, pattern := range patterns {
		if slices.Contains(templates, pattern.Template()) {
			table = append(table, workerLine(pattern))
		}
	}
	for _, job := range []string{"rp-agent-run@", "rp-agent-console@", "rp-agent-dryrun@"} {
		table = append(table, allowed{literal(job), literal(".service"), "job", "jobVerbs"})
	}
	text, err := embedded.ReadFile("rule.js.tmpl")
	if err != nil {
		return nil, fmt.Errorf("cannot read the polkit rule's template: %w", err)
	}
	before, after, marked := bytes.Cut(text, []byte("@allowed@\n"))
	if !marked {
		return nil, errors.New("cannot render the polkit rule: its template has no place for the table")
	}
	var out bytes.Buffer
	out.Write(before)
	for _, line := range table {
		fmt.Fprintf(&out, "        { before: %s, after: %s, instance: %s, verbs: %s },\n", line.Before, line.After, line.Instance, line.Verbs)
	}
	out.Write(after)
	return out.Bytes(), nil
}

// workerLine turns a pattern into a line of the table: the star into any good
// instance name, everything else into an equal name.
func workerLine(pattern proto.UnitPattern) allowed {
	name, starred := strings.CutSuffix(string(pattern), "@*.service")
	if !starred {
		return allowed{literal(strings.TrimSuffix(string(pattern), ".service")), literal(".service"), "null", "workerVerbs"}
	}
	return allowed{literal(name + "@"), literal(".service"), "worker", "workerVerbs"}
}

// literal is s as a JavaScript string: JSON's is one (ECMA-262), and Go also escapes U+2028 and <.
func literal(s string) string {
	quoted, err := json.Marshal(s)
	if err != nil {
		return `""` // a string always encodes
	}
	return string(quoted)
}
