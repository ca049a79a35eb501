package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/host"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/setup"
	"github.com/re-connect/rpctl/proto"

	"github.com/re-connect/rpctl/internal/exitcode"
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
		status exitcode.Code
		says   string
	}{
		"no spec":         {"", nil, exitcode.BadInput, "cannot use what standard input says"},
		"bad spec":        {strings.Replace(goodSpec, "/home/app/www", "www\x1b[2J", 1), nil, exitcode.BadInput, "cannot use what standard input says"},
		"two problems":    {strings.NewReplacer("/home/app/www", "www", "_worker@*", "*").Replace(goodSpec), nil, exitcode.BadInput, "; "},
		"argument":        {goodSpec, []string{"preprod"}, exitcode.BadInput, "takes no argument"},
		"not root":        {goodSpec, []string{"--dry-run"}, exitcode.Refused, "sudo rp-agent setup"},
		"not root either": {"", []string{"--uninstall"}, exitcode.Refused, "sudo rp-agent setup"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := runSetup(t, c.stdin, c.args...)
			if status != int(c.status) || !strings.Contains(stderr, c.says) || strings.Contains(stderr, "\x1b") {
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
	if status != int(exitcode.Refused) || report.Error == nil || report.Error.Code != proto.CodeForbidden || report.Applied || report.Changes == nil {
		t.Errorf("status %d, %+v", status, report)
	}
}

// The runner's unit is not restarted after status 2, and PHP has no status 78.
func TestJobVerbsRefuseWhatIsNoID(t *testing.T) {
	for verb, want := range map[string]exitcode.Code{"run": exitcode.BadInput, "console": console.StatusNotRun, "console-end": exitcode.HostFailed} {
		for _, id := range []string{"../../etc/passwd", "short", "UPPERCASE1", "with blank"} {
			var out, said bytes.Buffer
			s := System{Args: []string{verb, id}, Stdout: &out, Stderr: &said, Getenv: func(string) string { return "" },
				Paths: host.Paths{Console: t.TempDir()}}
			if status := RunContext(t.Context(), s); status != int(want) || said.Len() == 0 || out.Len() > 0 {
				t.Errorf("%s %q: status %d, stdout %q, stderr %q", verb, id, status, out.String(), said.String())
			}
		}
	}
}
