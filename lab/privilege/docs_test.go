package privilege

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const docsFile = "../../docs/privileges.md"

// TestDocs: docs/privileges.md is what the tables say. UPDATE=1 writes it.
func TestDocs(t *testing.T) {
	want := docs()
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(docsFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/privileges.md is not what the tables say: UPDATE=1 go test ./lab/privilege -run TestDocs")
	}
}

func docs() string {
	var b strings.Builder
	total := 0
	for _, s := range sieges() {
		total += len(s.attempts)
	}
	fmt.Fprintf(&b, `# Privileges: what was tried, and what answered

    go test ./lab/privilege                     # as root on Debian: %d attempts on each release
    UPDATE=1 go test ./lab/privilege -run TestDocs    # writes this page from the tables of that test

Each line below is an attempt on a real host, with systemd 252 (Debian 12) and with systemd 257 (Debian 13), made anew by `+"`go test`"+` and by CI.
An attempt has failed when it ends with the answer shown (one of them, where the releases differ), when nothing that it says gives it away, and when **the
host is what it was before**: every file of %s and of the agent's folders by name, type, mode, owner, length and time of change
(ctime, which nobody can set), root's by all of these and the agent's by content too, the invocations of workers, sshd, D-Bus, journald and the socket, users
and groups, what stands in /run and /tmp, the boot. The audit may only have grown, and only where a line says *kept in the audit*; in the end it verifies.

What is typed is in the tables' source, %s. More calls of systemd's (about 160, as rp-agent and as nobody) are in
`+"`systemd/polkit_cases_test.go`"+`, about 95 lies over the wire in `+"`controller/e2e/hostile`"+`.

What a member of the operators may take of a host, and that a member who is removed loses the right, is tried by `+"`go test ./lab/privilege -run TestLimits`"+`.

Not shown here: limits of memory and of processes (MemoryMax, TasksMax), which the lab's hosts cannot enforce for want of cgroup controllers.
`, total, "`/etc`, `/root`, `/usr/local`, `/usr/bin`, `/usr/lib/systemd`, the application's folder", "`lab/privilege/*_test.go`")
	for _, s := range sieges() {
		fmt.Fprintf(&b, "\n## %s\n%s\n\n| tried | answered | |\n|---|---|---|\n", s.who, s.has)
		for _, a := range s.attempts {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(a.name), cell(answers(a.refusal)), remark(a))
		}
	}
	return b.String()
}

func answers(refusals []string) string {
	quoted := make([]string, len(refusals))
	for i, refusal := range refusals {
		quoted[i] = "`" + strings.TrimSpace(refusal) + "`"
	}
	return strings.Join(quoted, " or ")
}

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

func remark(a attempt) string {
	var all []string
	if a.root != "" {
		all = append(all, "root or systemd comes by")
	}
	if a.harmless {
		all = append(all, "nothing hinders it, and nothing is gained")
	}
	if a.noted {
		all = append(all, "kept in the audit")
	}
	return strings.Join(all, "; ")
}
