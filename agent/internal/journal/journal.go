// Package journal gives the last lines of units, and those to come. Journalctl
// reads the host's journal; Memory keeps lines itself, for a host without systemd.
//
// Unit names are checked here once more: journalctl would take a glob.
package journal

import (
	"strings"
	"unicode/utf8"

	"github.com/re-connect/rpctl/proto"
)

// cutMark ends a message that was cut.
const cutMark = " … (cut)"

// cut makes text valid UTF-8 of at most proto.MaxLogMessage bytes, mark included.
func cut(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= proto.MaxLogMessage {
		return text
	}
	end := proto.MaxLogMessage - len(cutMark)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + cutMark
}

// checkUnits refuses what is not the name of one service each.
func checkUnits(units []string) error {
	if len(units) == 0 {
		return refuse("cannot read the journal of no unit at all")
	}
	for _, unit := range units {
		if !proto.UnitPattern(unit).IsInstance() {
			return refuse("cannot read the journal of %q: that is no name of a service", unit)
		}
	}
	return nil
}

func refuse(format string, args ...any) error {
	return &proto.Error{Code: proto.CodeBadRequest, Message: proto.Textf(format, args...)}
}

func bounded(n int) int { return min(max(n, 0), proto.MaxLogLines) }
