package stricttoml

import (
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/internal/printable"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File    string
	Line    int    // from 1
	Column  int    // from 1, in characters; 0 where it is not known
	Message string // lower case, free of control characters
}

// String is the problem as editors find it: file:line:column: message.
func (p Problem) String() string {
	if p.Column == 0 {
		return fmt.Sprintf("%s:%d: %s", printable.Line(p.File), p.Line, p.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", printable.Line(p.File), p.Line, p.Column, p.Message)
}

// Problems is everything that is wrong with a file, in line order.
type Problems []Problem

// maxShown is how many problems a message tells; who has more has another kind of file.
const maxShown = 30

// Error has one problem a line.
func (p Problems) Error() string {
	lines := make([]string, 0, len(p))
	for i, problem := range p {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("and %d more", len(p)-maxShown))
			break
		}
		lines = append(lines, problem.String())
	}
	return strings.Join(lines, "\n")
}

// Quote writes s as a TOML string on one line.
func Quote(s string) string {
	var quoted strings.Builder
	quoted.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			quoted.WriteByte('\\')
			quoted.WriteRune(r)
		case isHidden(r):
			fmt.Fprintf(&quoted, `\U%08X`, r)
		default:
			quoted.WriteRune(r)
		}
	}
	quoted.WriteByte('"')
	return quoted.String()
}
