package config

import (
	"os"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/receiptkey"
)

func TestSigners(t *testing.T) {
	by, _, file := host(t)
	if all, err := by.signers(file + ".none"); all != nil || err != nil {
		t.Errorf("a missing file: %v, %v", all, err)
	}
	_, public, err := receiptkey.Generate("claire@laptop")
	if err != nil {
		t.Fatal(err)
	}
	line := "claire " + string(public)
	for name, c := range map[string]struct {
		text, want string
		mode       os.FileMode
	}{
		"good":               {line, "", 0o644},
		"others may write":   {line, "may not be believed", 0o666},
		"not understood":     {"claire", "line 1", 0o644},
		"everybody accepted": {strings.Replace(line, "claire", "*", 1), "line 1", 0o644},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, c.mode); err != nil {
			t.Fatal(err)
		}
		all, err := by.signers(file)
		if c.want == "" && (err != nil || len(all) != 1) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
}
