// Package inventory reads hosts.toml: which environments there are, on which
// hosts, and what belongs to each.
package inventory

import (
	"path/filepath"
	"slices"

	"github.com/re-connect/rpctl/proto"
)

// Inventory is a hosts.toml that was read and found good.
type Inventory struct {
	Path         string        // where it was read
	Owner        int           // uid that the file belongs to
	Environments []Environment // in the order of the file; at least one
}

// Environment is one of the file's environments, in the order of the file.
type Environment struct {
	Name   string
	Hosts  []string // OpenSSH aliases
	Branch string   // that is deployed from
	// Prepare is argvs that run in the work tree before the deploy: DefaultPrepare
	// where the file says nothing, none where it says prepare = [].
	Prepare [][]string
	Deploy  []string // argv
	// Rollback is an argv; empty where there is none.
	Rollback    []string
	Workers     []proto.UnitPattern
	Application proto.Application
	// ConsoleHost is the host that runs console commands; the only one where there is one.
	ConsoleHost string
	// Console is how migrations run on ConsoleHost, and behind which rules; nil where there are none.
	Console *proto.Console
	// Approvers is the path of the people's keys that the console host shall accept, an OpenSSH
	// allowed_signers file beside hosts.toml; empty where nobody may approve or sign a start.
	Approvers string
	// TrustedHosts is the file of all environments' pinned receipt keys.
	TrustedHosts TrustedHosts
	// Operators are login users that the installer puts into group rpctl.
	Operators []string
	// Look and Act are the groups that may read state and change it; `rpctl` by default.
	Look, Act []string
	Health    *Health
	After     string // the environment that comes first (prod: preprod)
	Confirm   bool   // the operator types the environment's name
}

// ApplicationOperates says that the application's user is an operator: whatever takes over PHP may then hold the lease
// and restart workers.
func (e Environment) ApplicationOperates() bool {
	return slices.Contains(e.Operators, e.Application.User)
}

// Health is a URL that must answer after a deploy.
type Health struct {
	URL    string
	Status int // 200 by default
	// RevisionHeader or RevisionJSON (a dotted path) is where the served revision is read; both may be empty.
	RevisionHeader string
	RevisionJSON   string
}

// Releasers is the file, beside hosts.toml, of the keys whose signature an rp-agent needs; there may be none.
func (e Environment) Releasers() string { return filepath.Join(e.TrustedHosts.Folder, "releasers") }

// Files are those beside hosts.toml that an install brings to hosts, or is allowed by.
func (e Environment) Files() []string {
	all := []string{e.Releasers()}
	if e.Approvers != "" {
		all = append(all, e.Approvers)
	}
	if e.Console != nil && e.After != "" {
		all = append(all, e.TrustedHosts.Path())
	}
	return all
}

// HostConfig is what a host of this environment must enforce. Only the console
// host has the rules of migrations: on any other there is nothing to run.
func (e Environment) HostConfig(host string) proto.HostConfig {
	config := proto.HostConfig{
		Environment: e.Name, Application: e.Application, Workers: e.Workers, Look: e.Look, Act: e.Act,
	}
	if host == e.ConsoleHost {
		config.Console = e.Console
	}
	return config
}
