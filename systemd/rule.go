package systemd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/re-connect/rpctl/proto"
)

// allowed is one line of the polkit rule's table; every field is JavaScript source.
type allowed struct{ Before, After, Instance, Verbs string }

// renderRule lists the agent's own job templates and those worker patterns whose template is on the host.
func renderRule(patterns []proto.UnitPattern, templates []string) ([]byte, error) {
	var table []allowed
	for _, pattern := range patterns {
		if slices.Contains(templates, pattern.Template()) {
			table = append(table, workerLine(pattern))
		}
	}
	for _, job := range []string{"rp-agent-run@", "rp-agent-console@"} {
		table = append(table, allowed{literal(job), literal(".service"), "job", "jobVerbs"})
	}
	tmpl, err := template.ParseFS(embedded, "rule.js.tmpl")
	if err != nil {
		return nil, fmt.Errorf("cannot read the polkit rule's template: %w", err)
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, table); err != nil {
		return nil, fmt.Errorf("cannot render the polkit rule: %w", err)
	}
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
