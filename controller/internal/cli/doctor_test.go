package cli

import (
	"strings"
	"testing"
)

func TestFailedChecks(t *testing.T) {
	long := strings.Repeat("x", 500)
	for want, bad := range map[string][]string{
		"a check failed: disk on p1; the fix stands below it":                                      {"disk on p1"},
		"2 checks failed: disk on p1, polkit on p2; the fix stands below each of them":             {"disk on p1", "polkit on p2"},
		"4 checks failed: a, b, c and 1 more; the fix stands below each of them":                   {"a", "b", "c", "d"},
		"a check failed: " + long[:120] + "…; the fix stands below it":                             {long},
		"2 checks failed: a" + `\x1b` + ", " + long[:120] + "…; the fix stands below each of them": {"a\x1b", long},
	} {
		if got := failedChecks(bad); got != want {
			t.Errorf("%.60q: got %q", bad, got)
		}
	}
}
