package session

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// refusal is a line that cannot be served. A fatal one ends the connection.
type refusal struct {
	why   *proto.Error
	fatal bool
}

func (r *refusal) Error() string { return string(r.why.Message) }

func fatal(format string, args ...any) *refusal {
	return &refusal{why: badRequest(format, args...), fatal: true}
}

func badRequest(format string, args ...any) *proto.Error {
	return &proto.Error{
		Code:    proto.CodeBadRequest,
		Message: proto.HostText("cannot serve the request: " + fmt.Sprintf(format, args...)),
		Advice:  proto.Advice{Code: proto.AdviceHostVersion},
	}
}

// requestFields are the fields of a request, spelled as on the wire: JSON's readers are
// lax about case, and a protocol must not be.
var requestFields = map[string]bool{"id": true, "protocol": true, "op": true, "environment": true, "operator": true, "args": true}

// maxValues is how many values a line may have. A plan's step has some 15; of empty ones a line of 1 MiB
// could have 350,000, each a hundred times as large in memory as on the wire.
const maxValues = 32 << 10

// parse reads one line. A refusal that is not fatal concerns the request whose ID the line has.
func parse(data []byte) (proto.Line, *refusal) {
	if proto.Values(data) > maxValues {
		return proto.Line{}, fatal("the line has more than %d values", maxValues)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return proto.Line{}, fatal("the line is no JSON object: %s", printable.Excerpt(string(data), 60))
	}
	for _, name := range []string{"ping", "cancel", "bridge"} {
		if _, ok := fields[name]; ok {
			return parseAside(data, name, len(fields))
		}
	}
	var line proto.Line
	if err := json.Unmarshal(fields["id"], &line.ID); err != nil || line.ID <= 0 {
		return proto.Line{}, fatal("it has no positive id")
	}
	for name := range fields {
		if !requestFields[name] {
			return line, &refusal{why: unknownField(name)}
		}
	}
	if err := proto.DecodeStrict(data, &line.Request); err != nil {
		return line, &refusal{why: badRequest("%s", printable.Excerpt(err.Error(), 200))}
	}
	return line, nil
}

// parseAside reads a line that is no request.
func parseAside(data []byte, name string, fields int) (proto.Line, *refusal) {
	var line proto.Line
	if fields != 1 {
		return line, fatal("%q stands on a line of its own", name)
	}
	if err := proto.DecodeStrict(data, &line); err != nil {
		return proto.Line{}, fatal("bad %q: %s", name, printable.Excerpt(err.Error(), 200))
	}
	if !line.Ping && line.Cancel <= 0 && line.Bridge == nil {
		return proto.Line{}, fatal("bad %q", name)
	}
	return line, nil
}

// decodeArgs reads an operation's own object; no args at all are its zero value.
func decodeArgs(request proto.Request, args any) error {
	if len(request.Args) == 0 {
		return nil
	}
	err := proto.DecodeStrict(request.Args, args)
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "unknown field"):
		return &proto.Error{Code: proto.CodeUnsupported, Message: proto.HostText("cannot serve the request: this agent does not know all of its args: " + printable.Excerpt(err.Error(), 200)), Advice: upgrade}
	default:
		return badRequest("args: %s", printable.Excerpt(err.Error(), 200))
	}
}

var upgrade = proto.Advice{Code: proto.AdviceUpgrade}

func unknownField(name string) *proto.Error {
	return &proto.Error{
		Code:    proto.CodeUnsupported,
		Message: proto.Textf("cannot serve the request: this agent does not know the field %q", printable.Excerpt(name, 60)),
		Advice:  upgrade,
	}
}
