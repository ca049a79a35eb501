package config

import (
	"bytes"
	"fmt"

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
	return out.Bytes()
}

func writeList[T ~string](out *bytes.Buffer, key string, list []T) {
	fmt.Fprintf(out, "%s = [", key)
	for _, element := range list {
		fmt.Fprintf(out, "\n  %s,", stricttoml.Quote(string(element)))
	}
	out.WriteString("\n]\n")
}
