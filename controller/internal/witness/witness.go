// Package witness remembers on this machine where each host's audit ended when the host was last spoken to, and
// finds out at the next contact whether that end is still in the audit. On the host the audit can be written
// anew by the user that writes it, and then its chain holds again: only what is kept elsewhere shows that.
package witness

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/re-connect/rpctl/proto"
)

// Lines asks a host for the lines of its audit after an entry.
type Lines func(ctx context.Context, after int64) ([]json.RawMessage, error)

// Problem says that a host's audit is not the one that was seen before.
type Problem struct {
	Why  string
	Seen proto.AuditHead  // what is remembered
	Now  *proto.AuditHead // what the host tells; nil where it tells nothing
}

func (p *Problem) Error() string { return p.Why }

// maxPages bounds how many answers are asked for to follow the chain: 100 000 entries.
const maxPages = 200

// Compare holds what a host tells in its greeting against what is remembered, without asking anything. longer says
// that the audit has grown, and that only its lines can show whether it is the same one.
func Compare(seen Seen, hello proto.Hello) (longer bool, problem *Problem) {
	bad := func(why string, args ...any) (bool, *Problem) {
		if seen.ReceiptKey != "" && hello.ReceiptKey != seen.ReceiptKey {
			why += "; its receipt key is another one too, as after a new installation"
		}
		return false, &Problem{Why: fmt.Sprintf(why, args...), Seen: seen.Audit, Now: hello.Audit}
	}
	switch now := hello.Audit; {
	case now == nil:
		return bad("rp-agent no longer tells where its audit ends, and told it before")
	case now.Length < seen.Audit.Length:
		return bad("it has %d entries, and had %d at the last contact", now.Length, seen.Audit.Length)
	case now.Length > seen.Audit.Length:
		return true, nil
	case now.Head != seen.Audit.Head:
		return bad("its last entry, number %d, is not the one of the last contact", now.Length)
	}
	return false, nil
}

// Follow asks for the lines since the remembered end, and checks by their hashes that they lead from there to what the
// greeting tells. It returns where the audit ends by then. A *Problem is the host's; any other error leaves the question open.
func Follow(ctx context.Context, seen Seen, hello proto.Hello, lines Lines) (proto.AuditHead, error) {
	head := seen.Audit
	bad := func(why string) error {
		return &Problem{Why: why + fmt.Sprintf("; the entries up to number %d were seen before", seen.Audit.Length), Seen: seen.Audit, Now: hello.Audit}
	}
	for range maxPages {
		page, err := lines(ctx, head.Length)
		if err != nil {
			return head, err
		}
		if len(page) == 0 {
			return head, bad(fmt.Sprintf("it has no entry after number %d, and its greeting tells of %d", head.Length, hello.Audit.Length))
		}
		for _, line := range page {
			if head, err = head.Next(line); err != nil {
				return head, bad("it does not continue what was seen before: " + err.Error())
			}
			if head.Length == hello.Audit.Length && head.Head != hello.Audit.Head {
				return head, bad(fmt.Sprintf("entry %d is not the one that its greeting tells of", head.Length))
			}
		}
		if head.Length >= hello.Audit.Length {
			return head, nil
		}
	}
	return head, bad("it has grown too much since the last contact to follow its chain from here")
}
