package proto

import (
	"fmt"
	"path"
	"strings"
)

// Names stand in unit files, polkit rules, sudo lines and file names: the forms are
// narrow on purpose, so that none of them needs quoting anywhere.

// maxPath is the longest application path, in bytes: Deployer's releases and the
// application's own files must still fit below it.
const maxPath = 1024

// AllEnvironments is the word that a command line uses for all of them; no environment has it for a name.
const AllEnvironments = "all"

// CheckEnvironment refuses what is no environment's name; the error says what is meant.
func CheckEnvironment(name string) error {
	if !word(name, isLowerAlnum, "-", 32) || !isLower(name[0]) {
		return fmt.Errorf("bad environment name %q: want a name like preprod (a-z, 0-9 and -, at most 32, a letter first)", name)
	}
	if name == AllEnvironments {
		return fmt.Errorf("bad environment name %q: it means all environments", name)
	}
	return nil
}

// CheckAccount refuses what is no name of a user or a group.
func CheckAccount(name string) error {
	// It is what adduser(8) and directory services give out, without the trailing dollar.
	if !word(name, isAlnum, "_.-", 32) || strings.IndexByte("0123456789.-", name[0]) >= 0 {
		return fmt.Errorf("bad user or group name %q: want a name like www-data", name)
	}
	return nil
}

// Check refuses an application that is not in an absolute, clean path of plain
// names, or whose user has no user's name.
func (a Application) Check() error {
	if err := CheckApplicationPath(a.Path); err != nil {
		return err
	}
	return CheckAccount(a.User)
}

// maxTolerance, maxSimulationHours, maxApprovalDays and maxReceiptDays bound what a host's file may allow: beyond
// them a gate would be no gate.
const (
	maxTolerance       = 1000
	maxSimulationHours = 31 * 24
	maxApprovalDays    = 31 // what was approved a month ago is asked for again
	maxReceiptDays     = 31 // a host writes 30 days into its receipts
)

// Check calls refuse with each key, as agent.toml spells it, whose value may not be followed.
func (c Console) Check(refuse func(key string, err error)) {
	if CheckApplicationPath(c.PHP) != nil {
		refuse("php", fmt.Errorf("bad php %q: want an absolute path like /usr/bin/php", c.PHP))
	}
	if c.Script == "" || strings.HasPrefix(c.Script, "/") || strings.HasPrefix(c.Script, "-") || CheckApplicationPath("/"+c.Script) != nil {
		refuse("script", fmt.Errorf("bad script %q: want a path within the release, like bin/console", c.Script))
	}
	if c.After != "" {
		if err := CheckEnvironment(c.After); err != nil {
			refuse("after", err)
		}
	}
	if c.Tolerance < 0 || c.Tolerance > maxTolerance {
		refuse("tolerance", fmt.Errorf("tolerance %d is not between 0 and %d people", c.Tolerance, maxTolerance))
	}
	if c.SimulationHours < 1 || c.SimulationHours > maxSimulationHours {
		refuse("simulation_hours", fmt.Errorf("simulation_hours %d is not between 1 and %d", c.SimulationHours, maxSimulationHours))
	}
	if c.ApprovalDays < 0 || c.ApprovalDays > maxApprovalDays {
		refuse("approval_days", fmt.Errorf("approval_days %d is not between 1 and %d", c.ApprovalDays, maxApprovalDays))
	}
	if c.ReceiptDays < 0 || c.ReceiptDays > maxReceiptDays {
		refuse("receipt_days", fmt.Errorf("receipt_days %d is not between 1 and %d", c.ReceiptDays, maxReceiptDays))
	}
}

// CheckApplicationPath refuses a path that is not absolute, clean and of plain names.
func CheckApplicationPath(name string) error {
	slash := strings.HasPrefix(name, "/") && len(name) > 1
	if !slash || !word(name, isAlnum, "/_.@+-", maxPath) || path.Clean(name) != name {
		return fmt.Errorf("bad application path %q: want an absolute path like /home/app/www (letters, digits and _.@+- only)", name)
	}
	return nil
}
