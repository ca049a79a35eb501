package config

import (
	"bytes"
	"fmt"
	"time"

	"github.com/re-connect/rpctl/internal/stricttoml"
	"github.com/re-connect/rpctl/proto"
)

// Render writes the file that Load reads back as config. The same config gives
// the same bytes, so that an installer sees whether anything changes.
func Render(config proto.HostConfig) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, `# What may be done on this host, whatever a controller says. Only root may write
# this file. rpctl agent install writes it from hosts.toml.
version = %d
environment = %s

[application]
path = %s
user = %s

[workers]
`, Version, stricttoml.Quote(config.Environment),
		stricttoml.Quote(config.Application.Path), stricttoml.Quote(config.Application.User))
	writeList(&out, "units", config.Workers)
	out.WriteString("\n# groups whose members may read state, and may change it\n[access]\n")
	writeList(&out, "look", config.Look)
	writeList(&out, "act", config.Act)
	if config.Console != nil {
		writeConsole(&out, *config.Console)
	}
	return out.Bytes()
}

func writeConsole(out *bytes.Buffer, c proto.Console) {
	fmt.Fprintf(out, `
# how migrations run here, and behind which rules (docs/gates.md)
[console]
php = %s
script = %s
`, stricttoml.Quote(c.PHP), stricttoml.Quote(c.Script))
	if c.After != "" {
		fmt.Fprintf(out, "after = %s\n", stricttoml.Quote(c.After))
	}
	if c.RequireSK { // an older agent refuses the key, and with it the file: that is right only where the rule is asked for
		out.WriteString("require_sk = true\n")
	}
	fmt.Fprintf(out, "self_approval = %t\nbreak_glass = %t\ntolerance = %d\nsimulation_hours = %d\napproval_days = %d\nreceipt_days = %d\n",
		c.SelfApproval, c.BreakGlass, c.Tolerance, c.SimulationHours, c.ApprovalLife()/(24*time.Hour), c.ReceiptLife()/(24*time.Hour))
}

func writeList[T ~string](out *bytes.Buffer, key string, list []T) {
	fmt.Fprintf(out, "%s = [", key)
	for _, element := range list {
		fmt.Fprintf(out, "\n  %s,", stricttoml.Quote(string(element)))
	}
	out.WriteString("\n]\n")
}
