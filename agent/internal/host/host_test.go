package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefusedHostSendsNobodyToItsDoctor: `rp-agent doctor` asks through the greeting, which ends with the
// very refusal that it would have to explain.
func TestRefusedHostSendsNobodyToItsDoctor(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, []byte("x = "), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"missing":         filepath.Join(folder, "none", "agent.toml"),
		"not believed":    file,
		"below a file":    "/etc/passwd/agent.toml",
		"nothing of ours": "agent.toml",
	} {
		here, free := Open(Paths{Config: path, State: folder})
		if here.Refused == nil || here.Refused.Advice.Text() == "" || strings.HasPrefix(here.Refused.Advice.Text(), "rp-agent") {
			t.Errorf("%s: %+v", name, here.Refused)
		}
		if err := free(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
