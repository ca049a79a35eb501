package config

import (
	"os"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/receiptkey"
	"github.com/re-connect/rpctl/internal/signature"
)

func TestSigners(t *testing.T) {
	by, _, file := host(t)
	if all, digest, err := by.signers(file+".none", people); all != nil || digest != signature.Digest(nil) || err != nil {
		t.Errorf("a missing file: %v, %s, %v", all, digest, err)
	}
	_, public, err := receiptkey.Generate("claire@laptop")
	if err != nil {
		t.Fatal(err)
	}
	line := "claire " + string(public)
	key, err := signature.NewHostKey("preprod1", strings.TrimSpace(string(public)), "preprod")
	if err != nil {
		t.Fatal(err)
	}
	pinned := key.Line()
	for name, c := range map[string]struct {
		text, want string
		mode       os.FileMode
		as         func(string, []byte) (signature.Signers, error)
	}{
		"good":               {line, "", 0o644, people},
		"others may write":   {line, "may not be believed", 0o666, people},
		"a host":             {pinned, "", 0o644, hosts},
		"others may pin":     {pinned, "may not be believed", 0o664, hosts},
		"a person as a host": {line, file + ":1: ", 0o644, hosts},
		"every host":         {strings.Replace(pinned, "preprod1", "*", 1), file + ":1: ", 0o644, hosts},
		"a host's two lines": {pinned + strings.Replace(pinned, "preprod1", "prod1", 1), file + ":2: ", 0o644, hosts},
		"not understood":     {"claire", "line 1", 0o644, people},
		"everybody accepted": {strings.Replace(line, "claire", "*", 1), "line 1", 0o644, people},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, c.mode); err != nil {
			t.Fatal(err)
		}
		all, digest, err := by.signers(file, c.as)
		if digest != "" && digest != signature.Digest([]byte("# a comment\n"+c.text)) || (digest == "") != (err != nil) {
			t.Errorf("%s: digest %q, %v", name, digest, err)
		}
		if c.want == "" && (err != nil || len(all) != 1) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
}
