package lab

import (
	"bytes"
	"fmt"
	"os"

	"github.com/re-connect/rpctl/proto"
)

// hostsTOML is the inventory of every lab: the aliases are those of SSHConfig.
const hostsTOML = `# The lab's inventory. The aliases are in ssh/config beside this file.
version = 1
trusted_hosts = "ssh/trusted_hosts"

[environments.preprod]
hosts = ["rp-preprod"]
branch = "dev"
prepare = [["make", "prepare"]]
deploy = ["make", "deploy-preprod"]
rollback = ["make", "rollback-preprod"]
workers = [
  "messenger_worker_async@*.service",
  "messenger_worker_dmp@*.service",
  "messenger_worker_export@*.service",
]
application = { path = "/home/app/www", user = "app" }
operators = ["app"]

[environments.preprod.console]
php = "/usr/bin/php"
script = "bin/console"
approvers = "approvers"

[environments.prod]
hosts = ["rp-prod"]
branch = "main"
prepare = [["make", "prepare"]]
deploy = ["make", "deploy-prod"]
rollback = ["make", "rollback-prod"]
workers = ["messenger_worker@*.service"]
application = { path = "/home/app/www", user = "app" }
operators = ["alice"]
after = "preprod"
confirm = true

[environments.prod.console]
php = "/usr/bin/php"
script = "bin/console"
approvers = "approvers"
`

// keyApprover is the key of claire, who approves plans of migration. The developer may, too,
// but in prod not what they apply themselves.
const keyApprover = "id_claire"

// Approver is the private key of claire, who may approve plans; the developer's key may, too.
func (l *Lab) Approver() string { return l.path("ssh", keyApprover) }

// writeInventory writes hosts.toml and, beside it, the keys of those who approve and apply plans.
func (l *Lab) writeInventory() error {
	var people bytes.Buffer
	for _, one := range []struct{ name, key string }{{"developer", keyNormal}, {"claire", keyApprover}} {
		public, err := os.ReadFile(l.path("ssh", one.key+".pub"))
		if err != nil {
			return err
		}
		fmt.Fprintf(&people, "%s namespaces=\"%s,%s\" %s", one.name, proto.NamespaceApproval, proto.NamespaceIntent, public)
	}
	for name, data := range map[string][]byte{l.path(approversFile): people.Bytes(), l.HostsTOML(): []byte(hostsTOML)} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return fmt.Errorf("cannot write the inventory: %w", err)
		}
	}
	return nil
}

// approversFile is where hostsTOML says that those keys are.
const approversFile = "approvers"
