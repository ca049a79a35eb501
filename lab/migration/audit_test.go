package migration

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab/labtest"
)

// auditRewritten: user rp-agent owns the audit. It may write another last line, whose hash fits, or take lines away: the
// chain holds, and the developer's machine and the journal know better.
func auditRewritten(t *testing.T, s *stage) {
	const file = "/var/lib/rp-agent/audit.jsonl"
	plan := filepath.Join(s.plans, "plan.toml")
	failing := func(want ...string) {
		t.Helper()
		code := 1
		if len(want) == 0 {
			code = 0
		}
		var found []string
		outcome := s.Rpctl(t, code, "doctor", "--env", "preprod")
		for _, e := range outcome.Of("check") {
			if e.Check != nil && !e.Check.OK {
				found = append(found, string(e.Check.Name))
			}
		}
		if !slices.Equal(found, want) {
			t.Fatalf("doctor fails at %q, want %q:\n%s", found, want, outcome.Describe())
		}
	}
	failing()
	if out, err := s.preprod.Run(t.Context(), "cp", "--archive", file, file+".kept"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole, err := s.preprod.ReadFile(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(whole), "\n")
	for name, last := range map[string]string{"another last line": forged(lines[len(lines)-1]), "a line less": ""} {
		t.Run(name, func(t *testing.T) {
			out, err := s.preprod.RunAs(t.Context(), "rp-agent", "sh", "-c", `sed -i '$d' "$1" && if [ "$2" ]; then printf '%s\n' "$2" >> "$1"; fi`, "sh", file, last)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			defer func() { // for the chapters after this one
				if out, err := s.preprod.Run(t.Context(), "cp", "--archive", file+".kept", file); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				failing()
			}()
			s.ssh(t, "rp-preprod", "rp-agent", "audit", "verify") // it holds
			failing("audit seen before", "audit in the journal")
			for _, outcome := range []labtest.Outcome{
				s.Rpctl(t, 0, "history", "--env", "preprod"), s.Rpctl(t, 0, "migrate", "status", "--plan", plan, "--env", "preprod"),
			} {
				if !strings.Contains(outcome.Describe(), "THE AUDIT OF THIS HOST IS NOT THE ONE THAT WAS SEEN BEFORE") {
					t.Errorf("not told:\n%s", outcome.Describe())
				}
			}
			refused := s.Rpctl(t, 4, "migrate", "--plan", plan, "--env", "preprod", "--apply", "--yes")
			if !strings.Contains(refused.Describe(), "the audit is not the one that was seen before") {
				t.Errorf("refused for another reason:\n%s", refused.Describe())
			}
		})
	}
}

// forged is a line of the audit with another operator, whose hash fits.
func forged(line string) string {
	text, end, _ := strings.Cut(strings.Replace(line, "developer", "mallory", 1), `,"prev":"`)
	prev, _, _ := strings.Cut(end, `"`)
	if text == strings.Split(line, `,"prev":"`)[0] {
		text = strings.Replace(text, `"user":"`, `"user":"x`, 1)
	}
	sum := sha256.Sum256([]byte(prev + "\n" + text + `,"prev":"","hash":""}`))
	return text + `,"prev":"` + prev + `","hash":"` + hex.EncodeToString(sum[:]) + `"}`
}
