package cli

import (
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/controller/internal/local"
)

// inventory finds and reads hosts.toml.
func (a *app) inventory() (*inventory.Inventory, error) {
	path, err := inventory.Find(a.flags.hosts, a.Getenv("RPCTL_HOSTS"), a.Dir, a.Getenv("HOME"))
	if err != nil {
		return nil, err
	}
	read, err := inventory.Load(path)
	if err != nil {
		failure := *exit.From(err)
		failure.Next = a.again() // once the file is mended
		return nil, &failure
	}
	return read, nil
}

// guard refuses a file that hosts.toml names and that another user could change. The owner of hosts.toml is trusted.
func (a *app) guard(path string) error {
	read, err := a.inventory()
	if err != nil {
		return err
	}
	return local.Guard(path, read.Owner)
}

// named is an environment of hosts.toml, or what to type instead of the name that is none.
func (a *app) named(read *inventory.Inventory, name string) (inventory.Environment, error) {
	environment, err := read.Environment(name)
	if err == nil {
		return environment, nil
	}
	failure := *exit.From(err)
	near, ok := read.Nearest(name)
	switch {
	case name == "":
		failure.Next = a.again("--env", near)
	case ok:
		failure.Next = a.instead(name, near)
	default:
		failure.Next = "rpctl status"
	}
	return environment, &failure
}

// environment is the one that --env names; one must be named.
func (a *app) environment(name string) (inventory.Environment, error) {
	read, err := a.inventory()
	if err != nil {
		return inventory.Environment{}, err
	}
	return a.named(read, name)
}

// environments is the one that --env names, or all of them where all is allowed and none is named.
func (a *app) environments(name string) ([]inventory.Environment, error) {
	read, err := a.inventory()
	if err != nil {
		return nil, err
	}
	if name == "" || name == "all" {
		return read.Environments, nil
	}
	one, err := a.named(read, name)
	return []inventory.Environment{one}, err
}

// targets is the hosts of environments, in the order of the file.
func targets(environments []inventory.Environment) []fleet.Target {
	var all []fleet.Target
	for _, e := range environments {
		for _, host := range e.Hosts {
			all = append(all, fleet.Target{Environment: e.Name, Host: host})
		}
	}
	return all
}
