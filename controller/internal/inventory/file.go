package inventory

import (
	"cmp"
	"path/filepath"
	"strings"

	"github.com/re-connect/rpctl/internal/secret"
	"github.com/re-connect/rpctl/internal/stricttoml"
	"github.com/re-connect/rpctl/proto"
)

// Version is the version of the file's format that this rpctl reads.
const Version = 1

// DefaultStatus is the HTTP status that a health URL must answer with.
const DefaultStatus = 200

// DefaultPrepare is step 3 of the runbook "RP - Déploiement en pré-production".
func DefaultPrepare() [][]string {
	return [][]string{{"composer", "install"}, {"symfony", "console", "cache:clear"}}
}

// file is hosts.toml as it is written.
type file struct {
	Version      int                    `toml:"version"`
	TrustedHosts string                 `toml:"trusted_hosts"`
	Environments map[string]environment `toml:"environments"`
}

type environment struct {
	Hosts       []string    `toml:"hosts"`
	Branch      string      `toml:"branch"`
	Prepare     [][]string  `toml:"prepare"`
	Deploy      []string    `toml:"deploy"`
	Rollback    []string    `toml:"rollback"`
	Workers     []string    `toml:"workers"`
	Application application `toml:"application"`
	ConsoleHost string      `toml:"console_host"`
	Operators   []string    `toml:"operators"`
	Access      access      `toml:"access"`
	Health      *health     `toml:"health"`
	After       string      `toml:"after"`
	Confirm     bool        `toml:"confirm"`
	Console     *console    `toml:"console"`
}

type application struct {
	Path string `toml:"path"`
	User string `toml:"user"`
}

type console struct {
	PHP             string `toml:"php"`
	Script          string `toml:"script"`
	SelfApproval    *bool  `toml:"self_approval"`
	BreakGlass      bool   `toml:"break_glass"`
	RequireSK       bool   `toml:"require_sk"`
	Tolerance       int64  `toml:"tolerance"`
	SimulationHours *int   `toml:"simulation_hours"`
	ApprovalDays    *int   `toml:"approval_days"`
	ReceiptDays     *int   `toml:"receipt_days"`
	Approvers       string `toml:"approvers"`
}

type access struct {
	Look []string `toml:"look"`
	Act  []string `toml:"act"`
}

type health struct {
	URL            string `toml:"url"`
	Status         *int   `toml:"status"`
	RevisionHeader string `toml:"revision_header"`
	RevisionJSON   string `toml:"revision_json"`
}

// build is the environment that was found good, with what goes without saying filled in.
func (e environment) build(name string) Environment {
	built := Environment{
		Name: name, Hosts: e.Hosts, Branch: e.Branch, Prepare: e.Prepare, Deploy: e.Deploy, Rollback: e.Rollback,
		Application: proto.Application(e.Application), ConsoleHost: e.ConsoleHost, Operators: e.Operators,
		Look: proto.Groups(e.Access.Look), Act: proto.Groups(e.Access.Act), After: e.After, Confirm: e.Confirm,
	}
	if e.Prepare == nil {
		built.Prepare = DefaultPrepare()
	}
	for _, pattern := range e.Workers {
		built.Workers = append(built.Workers, proto.UnitPattern(pattern))
	}
	if built.ConsoleHost == "" {
		built.ConsoleHost = e.Hosts[0]
	}
	if e.Console != nil {
		rules := e.Console.build(e.After)
		built.Console = &rules
		built.Approvers = e.Console.Approvers
	}
	if e.Health != nil {
		built.Health = &Health{
			URL: e.Health.URL, Status: DefaultStatus,
			RevisionHeader: e.Health.RevisionHeader, RevisionJSON: e.Health.RevisionJSON,
		}
		if e.Health.Status != nil {
			built.Health.Status = *e.Health.Status
		}
	}
	return built
}

// build fills in what goes without saying. Where an environment comes first, this
// one is the one that counts: there approver and operator are two people.
func (c console) build(after string) proto.Console {
	built := proto.Console{
		PHP: c.PHP, Script: c.Script, After: after, SelfApproval: after == "",
		BreakGlass: c.BreakGlass, RequireSK: c.RequireSK, Tolerance: c.Tolerance, SimulationHours: proto.DefaultSimulationHours,
		ApprovalDays: proto.DefaultApprovalDays, ReceiptDays: proto.DefaultReceiptDays,
	}
	if c.SelfApproval != nil {
		built.SelfApproval = *c.SelfApproval
	}
	if c.SimulationHours != nil {
		built.SimulationHours = *c.SimulationHours
	}
	if c.ApprovalDays != nil {
		built.ApprovalDays = *c.ApprovalDays
	}
	if c.ReceiptDays != nil {
		built.ReceiptDays = *c.ReceiptDays
	}
	return built
}

// adviseSecret answers an unknown key that looks like a secret's name.
func adviseSecret(name string) string {
	plain := strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(name))
	looks := strings.HasSuffix(plain, "key") || strings.HasSuffix(plain, "keys") || strings.HasPrefix(plain, "key")
	if !looks && !secret.Name(name) {
		return ""
	}
	return "key `" + name + "` looks like a secret: secrets never live here (SSH keys belong into ~/.ssh/config)"
}

// Parse makes an Inventory of a file's content; the error is a stricttoml.Problems. Files that it names are those
// beside path.
func Parse(path string, data []byte) (*Inventory, error) {
	var f file
	doc, err := stricttoml.Decode(path, data, &f, stricttoml.OnUnknown(adviseSecret))
	if doc == nil {
		return nil, err
	}
	names := doc.Names("environments")
	checker{doc: doc, file: f, names: names}.check()
	if err := doc.Err(); err != nil {
		return nil, err
	}
	inventory := &Inventory{Path: path}
	trusted := TrustedHosts{Folder: filepath.Dir(path), Name: cmp.Or(f.TrustedHosts, DefaultTrustedHosts)}
	for _, name := range names {
		built := f.Environments[name].build(name)
		if built.Approvers != "" && !filepath.IsAbs(built.Approvers) {
			built.Approvers = filepath.Join(filepath.Dir(path), built.Approvers)
		}
		built.TrustedHosts = trusted
		inventory.Environments = append(inventory.Environments, built)
	}
	return inventory, nil
}
