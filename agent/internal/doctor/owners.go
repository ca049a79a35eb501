package doctor

import (
	"context"
	"os/user"
	"slices"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// operators looks whether the application itself may give orders to the agent: PHP runs as that user.
func (e *examination) operators(context.Context) (string, error) {
	installed, err := e.installed()
	if err != nil {
		return "", err
	}
	cfg, err := e.configured()
	if err != nil {
		return "", err
	}
	who := cfg.Application.User
	switch member := installed.member(who, systemd.Group); {
	case !member:
		return who + " is not in group " + systemd.Group + ": the application cannot reach the agent", nil
	case cfg.Console != nil && cfg.Console.After != "":
		return "", wrong(proto.Advice{Code: proto.AdviceUpgrade}, "the application's user %s is in group %s: PHP may hold the lease and restart workers; name logins of people as operators in hosts.toml",
			who, systemd.Group)
	}
	return "", &skip{"warning: the application's user " + who + " is in group " + systemd.Group +
		", so PHP may hold the lease and restart workers: name logins of people as operators in hosts.toml, then rpctl agent upgrade --env " + cfg.Environment}
}

func (i *Installed) member(name, group string) bool {
	if i.InGroup != nil {
		return i.InGroup(name, group)
	}
	account, err := user.Lookup(name)
	if err != nil {
		return false
	}
	wanted, err := user.LookupGroup(group)
	if err != nil {
		return false
	}
	ids, err := account.GroupIds()
	return err == nil && slices.Contains(ids, wanted.Gid)
}

// applicationsOwn refuses a unit that is no worker of the application.
func (e *examination) applicationsOwn(ctx context.Context, manager Manager, cfg proto.HostConfig, unit string) error {
	identity, err := manager.Identity(ctx, unit)
	if err != nil {
		return err
	}
	uid := ""
	if account, err := user.Lookup(cfg.Application.User); err == nil {
		uid = account.Uid
	}
	if err := identity.CheckWorker(unit, cfg.Application.User, uid, systemd.Group); err != nil {
		return wrong(proto.Advice{Code: proto.AdviceUnit, Unit: proto.UnitPattern(unit)}, "%v; take it out of `workers` in hosts.toml, or set User= in its unit, then rpctl agent upgrade --env %s", err, cfg.Environment)
	}
	return nil
}
