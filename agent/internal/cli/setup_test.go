package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/setup"
	"github.com/re-connect/rpctl/proto"
)

// runSetup is `rp-agent setup` of somebody who is not root.
func runSetup(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, said bytes.Buffer
	s := System{
		Args: append([]string{"setup"}, args...), Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &said,
		Getenv: func(string) string { return "" },
		Setup:  &setup.Host{Root: "/", UID: 1000},
	}
	return RunContext(t.Context(), s), out.String(), said.String()
}

const goodSpec = `{"config":{"environment":"preprod","application":{"path":"/home/app/www","user":"app"},` +
	`"workers":["messenger_worker@*.service"],"look":["rpctl"],"act":["rpctl"]}}`

func TestSetupSaysWhatIsWrongAndWhatToType(t *testing.T) {
	for name, c := range map[string]struct {
		stdin  string
		args   []string
		status int
		says   string
	}{
		"no spec":         {"", nil, exitBadInput, "cannot use what standard input says"},
		"bad spec":        {strings.Replace(goodSpec, "/home/app/www", "www\x1b[2J", 1), nil, exitBadInput, "cannot use what standard input says"},
		"two problems":    {strings.NewReplacer("/home/app/www", "www", "_worker@*", "*").Replace(goodSpec), nil, exitBadInput, "; "},
		"argument":        {goodSpec, []string{"preprod"}, exitBadInput, "takes no argument"},
		"not root":        {goodSpec, []string{"--dry-run"}, exitRefused, "sudo rp-agent setup"},
		"not root either": {"", []string{"--uninstall"}, exitRefused, "sudo rp-agent setup"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := runSetup(t, c.stdin, c.args...)
			if status != c.status || !strings.Contains(stderr, c.says) || strings.Contains(stderr, "\x1b") {
				t.Errorf("status %d, want %d; stdout %q; stderr %q, want %q", status, c.status, stdout, stderr, c.says)
			}
		})
	}
}

func TestSetupSaysItInJSONToo(t *testing.T) {
	status, stdout, _ := runSetup(t, goodSpec, "--json")
	var report proto.SetupReport
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("%q: %v", stdout, err)
	}
	if status != exitRefused || report.Error == nil || report.Error.Code != proto.CodeForbidden || report.Applied || report.Changes == nil {
		t.Errorf("status %d, %+v", status, report)
	}
}

// systemd must see status 78: the runner's unit is then not restarted.
func TestJobVerbsSayThatThereAreNoPlans(t *testing.T) {
	for verb, says := range map[string]string{"run": "no plans yet", "console": "no plans yet", "console-end": ""} {
		var out, said bytes.Buffer
		s := System{Args: []string{verb, "abcdefgh"}, Stdout: &out, Stderr: &said}
		if status := RunContext(t.Context(), s); status != exitNoPlans || !strings.Contains(said.String(), says) || out.Len() > 0 {
			t.Errorf("%s: status %d, stdout %q, stderr %q", verb, status, out.String(), said.String())
		}
	}
}
