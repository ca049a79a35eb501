package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/internal/exitcode"
)

func TestForcedWords(t *testing.T) {
	for _, allowed := range []string{
		"rp-agent rpc", "rp-agent status", "rp-agent status --json", "rp-agent doctor", "rp-agent doctor --json",
		"rp-agent history", "rp-agent history -n 50", "rp-agent audit log -n 5 --json", "rp-agent audit verify",
		"rp-agent audit verify --json", "rp-agent version", "/usr/local/bin/rp-agent rpc", "/usr/local/bin/rp-agent status --json",
	} {
		words, err := forcedWords(allowed)
		if err != nil || !slices.Equal(words, strings.Split(allowed, " ")[1:]) {
			t.Errorf("%q: %q, %v", allowed, words, err)
		}
	}
	for _, refused := range []string{
		"", " ", "rp-agent", "rp-agent ", " rp-agent rpc", "rp-agent  rpc", "rp-agent rpc ", "rp-agent rpc\n", "rp-agent\trpc",
		"rp-agent rpc --help", "rp-agent status --help", "rp-agent help", "rp-agent setup", "rp-agent setup --dry-run",
		"rp-agent instance", "rp-agent ssh", "rp-agent status;id", "rp-agent status && id", "rp-agent $(id)", "rp-agent 'status'",
		"/usr/local/bin/rp-agent", "/usr/local/bin/rp-agent setup", "/usr/local/bin/rp-agent rpc;id", "/usr/bin/rp-agent status",
		"/usr/local/bin/../bin/rp-agent status", "xusr/local/bin/rp-agent status", "//usr/local/bin/rp-agent status", "./rp-agent status", "RP-AGENT status", "rp-agent history -n -1", "rp-agent history -n 1000",
		"rp-agent history --lines=5", "bash", "scp -t /tmp", "/usr/lib/openssh/sftp-server", "rp-agent rpc\x00", strings.Repeat("x", 1<<20),
	} {
		words, err := forcedWords(refused)
		if err == nil {
			t.Errorf("%.80q is allowed: %q", refused, words)
		} else if explain(err).status != exitcode.Refused || explain(err).next == "" || len(err.Error()) > 400 {
			t.Errorf("%.80q: %v", refused, err)
		}
	}
}

// FuzzForcedWords: whatever is allowed is one of our own verbs, said exactly.
func FuzzForcedWords(f *testing.F) {
	for _, seed := range []string{"rp-agent status --json", "rp-agent audit log -n 5", "rp-agent setup", "bash -c id", "rp-agent status\nid"} {
		f.Add(seed)
	}
	verbs := []string{"rpc", "status", "doctor", "history", "audit", "version"}
	f.Fuzz(func(t *testing.T, command string) {
		words, err := forcedWords(command)
		if err != nil {
			return
		}
		if !slices.Contains(verbs, words[0]) || "rp-agent "+strings.Join(words, " ") != strings.TrimPrefix(command, "/usr/local/bin/") {
			t.Fatalf("%q became %q", command, words)
		}
		for _, word := range words[1:] {
			if !slices.Contains([]string{"--json", "-n", "log", "verify"}, word) && strings.Trim(word, "0123456789") != "" {
				t.Fatalf("%q has the word %q", command, word)
			}
		}
	})
}
