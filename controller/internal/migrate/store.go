package migrate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// store is the folder of receipts beside a plan: plan.receipts/ for plan.toml. Of each
// receipt it has the body, exactly as it was signed, and the signature in a file of its
// own, so that ssh-keygen can check them. No link leads out of it: see open.
type store struct{ folder string }

func storeOf(planPath string) store {
	return store{strings.TrimSuffix(planPath, ".toml") + ".receipts"}
}

// Names in the folder, and the longest file that is read there.
const (
	readmeFile = "README.md"
	maxReceipt = 4 << 20
)

func (s store) path(name string) string { return filepath.Join(s.folder, name) }

// write keeps a receipt; the signature comes first, so that a body never stands alone.
func (s store) write(name string, signed proto.Signed) (string, error) {
	for _, file := range []struct{ name, content string }{
		{readmeFile, readme}, {name + ".sig", signed.Signature}, {name, signed.Body},
	} {
		if err := s.put(file.name, file.content); err != nil {
			return "", err
		}
	}
	return s.path(name), nil
}

func (s store) put(name, content string) error {
	folder, err := s.open(true)
	if err == nil {
		err = of(errors.Join(writeIn(folder, name, content), folder.Close()), s.path(name))
	}
	if err != nil {
		return &exit.Error{
			Code: exit.LocalFailed, Err: err, Message: fmt.Sprintf("cannot keep a receipt: %v; the host has it, too", err),
			Next: "ls -ld " + exit.Word(s.nearest()),
		}
	}
	return nil
}

// nearest is the folder of receipts, or where it cannot be made.
func (s store) nearest() string {
	if _, err := os.Lstat(s.folder); errors.Is(err, fs.ErrNotExist) {
		return filepath.Dir(s.folder)
	}
	return s.folder
}

func (s store) read(name, namespace string) (proto.Signed, error) {
	body, err := s.get(name)
	if err != nil {
		return proto.Signed{}, err
	}
	sig, err := s.get(name + ".sig")
	return proto.Signed{Namespace: namespace, Body: string(body), Signature: string(sig)}, err
}

// readme stands in the folder, for those who find it.
const readme = "# Receipts of a migration\n\n" +
	"`ENVIRONMENT-simulation.json` and `ENVIRONMENT-applied.json` are signed by the host, `ENVIRONMENT-approval.json`\n" +
	"by the approver, and `ENVIRONMENT-start.json` by the operator. Each has its OpenSSH signature beside it in a file `.sig`. Any of them can be checked without rpctl.\n" +
	"TRUSTED_HOSTS is the team's file `trusted_hosts`, beside hosts.toml, which has the hosts' keys; no file of this folder\n" +
	"says whose signature counts. HOST is `host` in the receipt:\n\n" +
	"    ssh-keygen -Y verify -f TRUSTED_HOSTS -I HOST -n simulation@rpctl -s preprod-simulation.json.sig < preprod-simulation.json\n" +
	"    ssh-keygen -Y verify -f TRUSTED_HOSTS -I HOST -n applied@rpctl -s preprod-applied.json.sig < preprod-applied.json\n\n" +
	"Who signed an approval is told by its signature; which approvers count is told by the host, in /etc/rp-agent/approvers:\n\n" +
	"    ssh-keygen -Y check-novalidate -n approval@rpctl -s preprod-approval.json.sig < preprod-approval.json\n"
