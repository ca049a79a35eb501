package inprocess

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
)

// Script is the console within a release.
const Script = "bin/console"

// rules are how migrations run on an environment's console host; nil where none do.
func (l *Lab) rules(e Environment) *proto.Console {
	if !e.Console {
		return nil
	}
	return &proto.Console{
		PHP: l.options.App, Script: Script, After: e.After, SelfApproval: e.After == "", BreakGlass: e.BreakGlass,
		SimulationHours: proto.DefaultSimulationHours,
	}
}

// Approver is the private key of claire, who approves what the developer applies.
func (l *Lab) Approver() string { return l.path("id_claire") }

// approversFile is the file of people's keys beside hosts.toml.
const approversFile = "approvers"

// makePeople writes the keys of those who may approve and apply: the developer, and claire.
func (l *Lab) makePeople(context.Context) error {
	private, public, err := sshhost.NewClientKey("claire@lab")
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.Approver(), private, 0o600); err != nil {
		return err
	}
	lines := signerLine("developer", l.developer) + signerLine("claire", public)
	return os.WriteFile(l.path(approversFile), []byte(lines), 0o644)
}

func signerLine(name string, key ssh.PublicKey) string {
	return fmt.Sprintf("%s namespaces=\"%s,%s\" %s", name, proto.NamespaceApproval, proto.NamespaceIntent, ssh.MarshalAuthorizedKey(key))
}

// trustedHostsFile is the file of pinned receipt keys beside hosts.toml, and its name on each console host.
const trustedHostsFile = "trusted_hosts"

// makeTrust does what `rpctl agent pin` and `rpctl agent install` do on real hosts: each console host's receipt key is
// pinned beside hosts.toml; people's keys, and the pinned key of the environment that comes first, go to each of them.
func (l *Lab) makeTrust(context.Context) error {
	people, err := os.ReadFile(l.path(approversFile))
	if err != nil {
		return err
	}
	pinned := map[string]string{}
	for _, e := range l.options.Environments {
		if host := l.consoleHost(e.Name); host != nil {
			key, err := signature.NewHostKey(host.Alias, host.running.ReceiptKey(), e.Name)
			if err != nil {
				return err
			}
			pinned[e.Name] = key.Line()
		}
	}
	for _, e := range l.options.Environments {
		host := l.consoleHost(e.Name)
		if host == nil {
			continue
		}
		for name, data := range map[string][]byte{"approvers": people, trustedHostsFile: []byte(pinned[e.After])} {
			if err := os.WriteFile(filepath.Join(host.Agent.State, name), data, 0o644); err != nil {
				return err
			}
		}
	}
	lines := strings.Join(slices.Sorted(maps.Values(pinned)), "")
	return os.WriteFile(l.path(trustedHostsFile), []byte(lines), 0o644)
}

// consoleHost is the host of an environment that runs console commands; nil where there is none.
func (l *Lab) consoleHost(environment string) *Host {
	for _, e := range l.options.Environments {
		if host := l.Host(e.Hosts[0]); e.Name == environment && e.Console && host.running != nil {
			return host
		}
	}
	return nil
}

// seed gives each application the runbook's centres and people.
func (l *Lab) seed(ctx context.Context) error {
	for _, e := range l.options.Environments {
		if e.Console {
			if _, err := l.RunConsole(ctx, e.Name, "app:seed-migration"); err != nil {
				return err
			}
		}
	}
	return nil
}

// RunConsole runs a console command of an environment's application as a person with a shell
// there would, and returns its standard output.
func (l *Lab) RunConsole(ctx context.Context, environment string, args ...string) ([]byte, error) {
	release, err := filepath.EvalSymlinks(filepath.Join(l.Application(environment), "current"))
	if err != nil {
		return nil, fmt.Errorf("cannot run %s: %w", args[0], err)
	}
	command := exec.CommandContext(ctx, l.options.App, append([]string{Script}, args...)...)
	command.Dir = release
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return out, fmt.Errorf("cannot run %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}
