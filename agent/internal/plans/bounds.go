package plans

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// bounded says which field of a signed text cannot be shown or kept as it is. A signature proves who wrote
// a text, not that it fits on a line of a terminal or of the audit.
func bounded(body any) error {
	switch b := body.(type) {
	case *proto.Approval:
		return cmp.Or(name("by", b.By), name("for", b.For), line("evidence", b.Evidence, proto.MaxSignedReason), noBlank("evidence", b.Evidence),
			together(b.For, b.Evidence), line("break_glass", b.BreakGlass, proto.MaxSignedReason), nonce(b.Nonce))
	case *proto.Revocation:
		return cmp.Or(name("by", b.By), line("reason", b.Reason, proto.MaxSignedReason), nonce(b.Nonce))
	case *proto.Simulation:
		return cmp.Or(short("host", b.Host), short("environment", b.Environment), short("revision", b.Revision), nonce(b.Nonce), head(b.Audit))
	case *proto.Applied:
		return cmp.Or(short("host", b.Host), short("environment", b.Environment), short("revision", b.Revision), short("job", string(b.Job)),
			line("break_glass", b.BreakGlass, proto.MaxSignedReason), nonce(b.Nonce), head(b.Audit))
	case *proto.Intent:
		for _, r := range b.Resolve {
			if err := line("resolve", r.Reason, proto.MaxSignedReason); err != nil {
				return err
			}
		}
		return cmp.Or(short("environment", b.Environment), short("host", b.Host), short("job", string(b.Job)), short("operator", b.Operator),
			line("break_glass", b.BreakGlass, proto.MaxSignedReason))
	}
	return nil
}

func short(field, text string) error { return line(field, text, proto.MaxSignedName) }

// name is short for what people call themselves and each other.
func name(field, text string) error {
	if strings.TrimSpace(text) != text {
		return fmt.Errorf("its %q begins or ends with a blank", field)
	}
	return short(field, text)
}

// line refuses what is longer than most bytes, or not one line that a terminal only prints.
func line(field, text string, most int) error {
	switch {
	case len(text) > most:
		return fmt.Errorf("its %q is %d bytes long, and at most %d fit", field, len(text), most)
	case printable.Line(text) != text:
		return fmt.Errorf("its %q is not one printable line", field)
	}
	return nil
}

func head(audit *proto.AuditHead) error {
	if audit == nil {
		return nil
	}
	return short("audit.head", audit.Head)
}

func noBlank(field, text string) error {
	if strings.ContainsFunc(text, unicode.IsSpace) {
		return fmt.Errorf("its %q has a blank in it", field)
	}
	return nil
}

func together(who, where string) error {
	if (who == "") != (where == "") {
		return errors.New(`its "for" and "evidence" go together: who decided, and where that can be read`)
	}
	return nil
}

// nonce refuses what is no word of letters, digits, - and _.
func nonce(text string) error {
	word := strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
	if text == "" || len(text) > proto.MaxNonce || !word {
		return fmt.Errorf(`its "nonce" is not 1 to %d letters, digits, - and _`, proto.MaxNonce)
	}
	return nil
}
