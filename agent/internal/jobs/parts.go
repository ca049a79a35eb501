package jobs

import (
	"path/filepath"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/runner"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/agent/internal/receiptkey"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// Parts are what jobs on one host are made of: systemd's on a real host, child processes in an embedded one.
type Parts struct {
	Name     string // the host's
	Config   proto.HostConfig
	State    string // the agent's folder
	Folders  console.Folders
	Engine   Engine
	Releases runner.Releases
	// Approvers and Hosts read the files of keys that count here (config.Signers on a real host).
	Approvers, Hosts func() (signature.Signers, error)
	Disk             console.Disk
	CopyAudit        func(line []byte) // takes a copy of each line of the audit; nil makes none
	Log              func(error)       // nil drops it
	Now              func() time.Time  // nil: the clock
}

// Service is the jobs as sessions ask for them.
func (p Parts) Service() *Service {
	return &Service{
		Name: p.Name, Config: p.Config, State: p.State, Jobs: store.New(p.State), Plans: p.plans(), Folders: p.Folders,
		Engine: p.Engine, Releases: p.Releases, Audit: p.audit(), Now: p.Now, Disk: p.Disk,
	}
}

// Runner is what does a job on this host.
func (p Parts) Runner() runner.Host {
	return runner.Host{
		Name: p.Name, Config: p.Config, Jobs: store.New(p.State), Plans: p.plans(), Folders: p.Folders,
		Consoles: p.Engine, Releases: p.Releases, Audit: p.audit(), Log: p.Log, Now: p.Now, Disk: p.Disk,
		Key: func() (runner.Key, error) { return p.key() },
	}
}

func (p Parts) audit() *audit.Log { return audit.New(p.State).By(p.Now).Copying(p.CopyAudit) }

// key is the host's own, read from its state folder.
func (p Parts) key() (receiptkey.Key, error) {
	return receiptkey.Load(filepath.Join(p.State, receiptkey.Name))
}

func (p Parts) plans() plans.Folder {
	return plans.New(p.State, p.Name, p.Config.Environment, plans.Keys{
		Own: func() (signature.Signers, error) {
			key, err := p.key()
			if err != nil {
				return nil, err
			}
			return key.Signers(p.Name), nil
		},
		Approvers: p.approvers, Hosts: p.Hosts,
	})
}

// approvers are the people's keys, with what this host's rules want of them.
func (p Parts) approvers() (signature.Signers, error) {
	all, err := p.Approvers()
	if err == nil && p.Config.Console != nil && p.Config.Console.RequireSK {
		all = all.RequireHardware(proto.NamespaceApproval, proto.NamespaceRevocation)
	}
	return all, err
}
