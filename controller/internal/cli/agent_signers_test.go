package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/controller/internal/migrate"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// TestAcceptedKeys: what a host accepts is compared with what an install would bring there.
func TestAcceptedKeys(t *testing.T) {
	dir := t.TempDir()
	claire := "claire namespaces=\"approval@rpctl\" " + publicKey(t) + "\n"
	bob := "bob namespaces=\"approval@rpctl\" " + publicKey(t) + "\n"
	preprod, prod := pinnedLine(t, "preprod1", publicKey(t), "preprod"), pinnedLine(t, "prod1", publicKey(t), "prod")
	for name, content := range map[string]string{"approvers": "# who may\n" + claire, "trusted_hosts": preprod + prod} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	environment := inventory.Environment{
		Name: "prod", ConsoleHost: "p1", After: "preprod", Console: &proto.Console{}, Approvers: filepath.Join(dir, "approvers"),
		TrustedHosts: inventory.TrustedHosts{Folder: dir, Name: "trusted_hosts"},
	}
	digest := func(text string) string { return signature.Digest([]byte("# header of the installer\n" + text)) }
	for name, c := range map[string]struct {
		have *proto.SignerDigests
		says string
		next string
	}{
		"the same":              {have: &proto.SignerDigests{Approvers: digest(claire), TrustedHosts: digest(preprod)}},
		"a key more":            {&proto.SignerDigests{Approvers: digest(claire + bob), TrustedHosts: digest(preprod)}, "the keys of /etc/rp-agent/approvers on the host are not those", "rpctl agent diff --env prod"},
		"a key less":            {&proto.SignerDigests{Approvers: digest(""), TrustedHosts: digest(preprod)}, "/etc/rp-agent/approvers", "rpctl agent diff --env prod"},
		"another host":          {&proto.SignerDigests{Approvers: digest(claire), TrustedHosts: digest(prod)}, "/etc/rp-agent/trusted_hosts", "rpctl agent diff --env prod"},
		"all hosts":             {&proto.SignerDigests{Approvers: digest(claire), TrustedHosts: digest(preprod + prod)}, "/etc/rp-agent/trusted_hosts", "rpctl agent diff --env prod"},
		"no host":               {&proto.SignerDigests{Approvers: digest(claire), TrustedHosts: digest("")}, "/etc/rp-agent/trusted_hosts", "rpctl agent diff --env prod"},
		"a file that is broken": {&proto.SignerDigests{Approvers: digest(claire)}, "cannot use its /etc/rp-agent/trusted_hosts", "rpctl agent diff --env prod"},
		"a digest with a line":  {&proto.SignerDigests{Approvers: "\nrpctl: well", TrustedHosts: digest(preprod)}, "/etc/rp-agent/approvers", "rpctl agent diff --env prod"},
		"an older agent":        {nil, "does not report which keys it accepts", "rpctl agent upgrade --env prod"},
	} {
		err := newDesk(t).app().acceptedKeys(environment, proto.Hello{Signers: c.have})
		failure := exit.From(err)
		switch {
		case c.says == "" && err != nil, c.says != "" && failure == nil:
			t.Errorf("%s: %v", name, err)
		case c.says != "" && (failure.Code != exit.Refused || !strings.Contains(failure.Message, c.says) || failure.Next != c.next || strings.Contains(failure.Message, "\n")):
			t.Errorf("%s: %+v", name, failure)
		case (c.have == nil) != errors.Is(err, migrate.ErrNoDigests):
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReceiptKeyFits(t *testing.T) {
	key := publicKey(t)
	file := inventory.TrustedHosts{Folder: t.TempDir(), Name: "trusted_hosts"}
	environment := inventory.Environment{Name: "preprod", ConsoleHost: "pp1", Console: &proto.Console{}, TrustedHosts: file}
	hello := proto.Hello{Host: "preprod1", ReceiptKey: key + " rp-agent@preprod1"}
	if failure := exit.From(receiptKeyFits(environment, hello)); failure == nil || failure.Next != "rpctl agent pin --env preprod" {
		t.Errorf("nothing is pinned: %+v", failure)
	}
	if err := os.WriteFile(file.Path(), []byte(pinnedLine(t, "preprod1", key, "preprod")), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := receiptKeyFits(environment, hello); err != nil {
		t.Error(err)
	}
	for name, hello := range map[string]proto.Hello{
		"another key":  {Host: "preprod1", ReceiptKey: publicKey(t)},
		"another name": {Host: "preprod2", ReceiptKey: key},
		"two keys":     {Host: "preprod1", ReceiptKey: key + "\n" + key},
		"no key":       {Host: "preprod1"},
	} {
		if failure := exit.From(receiptKeyFits(environment, hello)); failure == nil || failure.Code != exit.Refused || failure.Next != "rpctl agent pin --env preprod" {
			t.Errorf("%s: %+v", name, failure)
		}
	}
}
