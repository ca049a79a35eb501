package privilege

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// attempt is one line of the tables.
type attempt struct {
	name string // what is tried
	try  string // what is typed: a script of bash
	// refusal is what is answered, on one release or the other: one of these is in the output.
	refusal []string
	// first is what root lets go on meanwhile.
	first string
	// harmless says that nothing hinders the attempt, and that it ends well: it only gains nothing.
	harmless bool
	// root is what root or systemd does after it, as on any other day.
	root string
	// undo is how root tidies up, before the host is compared with what it was.
	undo string
	// noted says that the host keeps the attempt in its audit.
	noted bool
}

// siege is the attempts of one kind of intruder.
type siege struct {
	who      string // heading of the table
	has      string // what the intruder has to begin with
	run      func(context.Context, *stage, string) (string, error)
	attempts []attempt
}

func sieges() []siege {
	return []siege{forcedKey(), application(), agentUser(), consoleCommand()}
}

// success is what an output has only when an attempt did not fail: words of the scripts
// themselves, a private key, a password's hash, a command run as root.
var success = regexp.MustCompile(`GOT IN|PRIVATE KEY|root:[*!$]|uid=0`)

// play makes an attempt and proves that it gained nothing.
func play(t *testing.T, s *stage, run func(context.Context, *stage, string) (string, error), a attempt) {
	t.Helper()
	if a.first != "" {
		s.on(t, "bash", "-c", a.first)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	said, err := run(ctx, s, a.try)
	if ctx.Err() != nil {
		t.Fatalf("it does not come to an end:\n%s", said)
	}
	if (err == nil) != a.harmless {
		t.Errorf("it ends with %v", err)
	}
	if a.root != "" {
		done, err := s.host.Run(ctx, "bash", "-c", "exec 2>&1; "+a.root)
		said += done
		if err != nil {
			said += err.Error()
		}
	}
	if a.undo != "" {
		s.on(t, "bash", "-c", a.undo)
	}
	if !slices.ContainsFunc(a.refusal, func(r string) bool { return strings.Contains(said, r) }) {
		t.Errorf("it is not refused with one of %q:\n%s", a.refusal, said)
	}
	if found := success.FindString(said); found != "" {
		t.Errorf("it came through (%q):\n%s", found, said)
	}
	before := s.now
	s.now = s.look(t)
	s.now.compare(t, before, a.noted)
}
