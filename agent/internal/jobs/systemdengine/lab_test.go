//go:build linux

package systemdengine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/enginetest"
)

// templates are the units of jobs with scripts for programs; what the suite is about is as in systemd/files.
var templates = map[string]string{
	"rp-agent-console@.service": `[Unit]
CollectMode=inactive-or-failed
AssertPathExists=!DIR/output/%i.out
[Service]
Type=exec
ExecStart=/bin/sh DIR/%i.sh
StandardOutput=append:DIR/output/%i.out
StandardError=append:DIR/output/%i.err
ExecStopPost=+/bin/sh DIR/end.sh %i
KillMode=mixed
`,
	"rp-agent-run@.service": `[Unit]
CollectMode=inactive-or-failed
[Service]
Type=exec
ExecStart=/bin/sh -c 'echo run >> DIR/%i.runs; until test -e DIR/%i.done; do sleep 0.02; done'
`,
}

// record is console-end as a script.
const record = `printf '{"version":1,"content":{"result":"%s","code":"%s","status":"%s","invocation":"%s","time":"2026-11-22T18:00:00Z"}}\n' \
  "$SERVICE_RESULT" "$EXIT_CODE" "$EXIT_STATUS" "$INVOCATION_ID" > "$(dirname "$0")/ends/.$1" && mv "$(dirname "$0")/ends/.$1" "$(dirname "$0")/ends/$1.json"
`

func TestConformance(t *testing.T) {
	if os.Getenv("RPCTL_LAB_HOST") != "1" || os.Geteuid() != 0 {
		t.Skip("needs root on a lab host with systemd: RPCTL_LAB_HOST=1 is not set")
	}
	enginetest.Run(t, func(t *testing.T) enginetest.Host {
		dir := t.TempDir()
		for path := dir; path != "/tmp" && path != "/"; path = filepath.Dir(path) {
			if err := os.Chmod(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		folders := console.FoldersIn(dir)
		for _, folder := range []string{folders.Specs, folders.Output, folders.Ends} {
			if err := os.Mkdir(folder, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		write(t, filepath.Join(dir, "end.sh"), record)
		for name, text := range templates {
			file := filepath.Join("/run/systemd/system", name)
			write(t, file, strings.ReplaceAll(text, "DIR", dir))
			t.Cleanup(func() { _ = os.Remove(file) })
		}
		if out, err := exec.Command("systemctl", "daemon-reload").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		e := &Engine{}
		t.Cleanup(func() { _ = e.Close() })
		return enginetest.Host{Engine: e, Folders: folders, Scripts: dir}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
