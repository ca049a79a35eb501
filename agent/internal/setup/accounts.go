package setup

import (
	"context"
	"fmt"
	"slices"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// root is the owner of all that others must not change.
func (p *Plan) root(ctx context.Context) (account, error) {
	root, err := p.host.account(ctx, "root")
	if err != nil || root == nil {
		return account{}, fmt.Errorf("cannot look up root: %v", err)
	}
	return *root, nil
}

// requireUser refuses a host where the application's user is missing: the spec is for another host then.
func (p *Plan) requireUser(ctx context.Context, name string) error {
	user, err := p.host.account(ctx, name)
	if err == nil && user == nil {
		err = fmt.Errorf("the application's user %s is not on this host: is this the host that hosts.toml means?", name)
	}
	return err
}

// accounts puts sysusers.d's file in place and makes the user and the group that it names.
func (p *Plan) accounts(ctx context.Context, files []systemd.File) error {
	if err := p.packaged(ctx, files, systemd.SysusersPath); err != nil {
		return err
	}
	user, err := p.host.account(ctx, systemd.User)
	if err != nil {
		return err
	}
	group, err := p.host.group(ctx, systemd.Group)
	if err != nil {
		return err
	}
	if user == nil || group == nil {
		p.command(proto.SetupChange{Action: "create", Target: "user " + systemd.User + ", group " + systemd.Group},
			"systemd-sysusers", systemd.SysusersPath)
	}
	return nil
}

// operators makes group rpctl what the spec says: who is not named any more loses access.
func (p *Plan) operators(ctx context.Context, spec proto.SetupSpec) error {
	wanted := operators(spec)
	group, err := p.host.group(ctx, systemd.Group)
	if err != nil {
		return err
	}
	var members []string
	if group != nil {
		members = group.members
	}
	if user := spec.Config.Application.User; applicationOperates(spec) || len(wanted) == 0 && slices.Contains(members, user) {
		p.note("warning: the application's user %s is an operator: PHP runs as that user, and may hold the lease and restart workers; name logins of people instead", user)
	}
	if len(wanted) == 0 {
		p.note("no operators are named: group %s stays as it is (%d members)", systemd.Group, len(members))
		return p.join(ctx, members, forcedUser(spec))
	}
	if err := p.join(ctx, members, wanted...); err != nil {
		return err
	}
	for _, member := range members {
		if !slices.Contains(wanted, member) {
			p.command(proto.SetupChange{Action: "remove", Target: member + " from group " + systemd.Group, Detail: "not named as an operator"},
				"gpasswd", "-d", member, systemd.Group)
		}
	}
	return nil
}

func forcedUser(spec proto.SetupSpec) string {
	if spec.ForcedKey == nil {
		return ""
	}
	return spec.ForcedKey.User
}

// join adds those who are not members yet. A login that is open now has the group from its next login on.
func (p *Plan) join(ctx context.Context, members []string, wanted ...string) error {
	for _, operator := range wanted {
		if operator == "" || slices.Contains(members, operator) {
			continue
		}
		user, err := p.host.account(ctx, operator)
		if err != nil {
			return err
		}
		if user == nil {
			p.note("operator %s has no account on this host: left out", operator)
			continue
		}
		p.command(proto.SetupChange{Action: "add", Target: operator + " to group " + systemd.Group, Differences: p.access("operator", operator)},
			"gpasswd", "-a", operator, systemd.Group)
	}
	return nil
}
