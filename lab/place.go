package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Suite is a Debian release.
type Suite string

// The suites that rp-agent is held to: systemd 252 and 257.
const (
	Bookworm Suite = "bookworm"
	Trixie   Suite = "trixie"
)

// Suites are all of them.
var Suites = []Suite{Bookworm, Trixie}

// Role is what a host of the lab is for; it is the host's name too.
type Role string

// The roles. The bastion only lets SSH through.
const (
	Bastion Role = "bastion"
	Preprod Role = "preprod"
	Prod    Role = "prod"
)

// Roles are the hosts of a whole lab.
var Roles = []Role{Bastion, Preprod, Prod}

// Slot keeps labs apart that are up at the same time: each has its folder and addresses.
type Slot string

// The slots. The zero value is the one of `make lab`.
const (
	SlotLab   Slot = ""
	SlotTest  Slot = "test"  // the tests of this package
	SlotStory Slot = "story" // the tests of lab/story
	SlotBench Slot = "bench"
	// SlotMigration is for the tests of lab/migration.
	SlotMigration Slot = "migration"
	// SlotChaos and SlotChaosTrixie are for the fault campaigns on both releases, at the same time.
	SlotChaos       Slot = "chaos"
	SlotChaosTrixie Slot = "chaos-trixie"
	// SlotPrivilege is for the tests of lab/privilege.
	SlotPrivilege Slot = "privilege"
)

var slots = []Slot{SlotLab, SlotTest, SlotStory, SlotBench, SlotMigration, SlotChaos, SlotChaosTrixie, SlotPrivilege}

// Folder is where the lab keeps everything: $RPCTL_LAB_DIR, else /var/tmp/rpctl-lab.
func Folder() string {
	if dir := os.Getenv("RPCTL_LAB_DIR"); dir != "" {
		return dir
	}
	return "/var/tmp/rpctl-lab"
}

// address is the loopback address that a role's sshd listens on.
func (s Slot) address(r Role) string {
	return fmt.Sprintf("127.77.%d.%d", slices.Index(slots, s), 10+slices.Index(Roles, r))
}

// freePort is the port that all the lab's sshds listen on: 22, or 2222 where an sshd
// of the machine has 22 on every address. The error names what is taken.
func (s Slot) freePort(ctx context.Context, roles []Role) (string, error) {
	var errs []error
	for _, port := range []string{"22", "2222"} {
		err := s.free(ctx, roles, port)
		if err == nil {
			return port, nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

func (s Slot) free(ctx context.Context, roles []Role, port string) error {
	for _, r := range roles {
		at := net.JoinHostPort(s.address(r), port)
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", at)
		if err != nil {
			return fmt.Errorf("cannot use %s for %s: %w", at, r, err)
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

// checked fills what is left out and refuses what makes no sense; it touches nothing.
func (o Options) checked() (Options, error) {
	if o.Dir == "" {
		o.Dir = Folder()
	}
	if o.Suite == "" {
		o.Suite = Bookworm
	}
	if len(o.Roles) == 0 {
		o.Roles = Roles
	}
	if !slices.Contains(Suites, o.Suite) {
		return o, fmt.Errorf("unknown suite %q: there are %v", o.Suite, Suites)
	}
	if !slices.Contains(slots, o.Slot) {
		return o, fmt.Errorf("unknown slot %q", o.Slot)
	}
	if o.Database != SQLite && o.Database != MariaDB {
		return o, fmt.Errorf("unknown database %q: there are %q and SQLite, which is the empty one", o.Database, MariaDB)
	}
	for _, r := range o.Roles {
		if !slices.Contains(Roles, r) {
			return o, fmt.Errorf("unknown role %q: there are %v", r, Roles)
		}
	}
	if strings.ContainsAny(o.Dir, " \t\n\"'%:,\\") || !filepath.IsAbs(o.Dir) {
		return o, fmt.Errorf("bad lab folder %q: want an absolute path without spaces, quotes, %% or colons", o.Dir)
	}
	return o, nil
}

func (o Options) runDir() string {
	name := string(o.Slot)
	if name == "" {
		name = "lab"
	}
	return filepath.Join(o.Dir, "run", name)
}

// marker is in every folder that the lab made: no other is ever written to.
const marker = "this-is-an-rpctl-lab"

// makeFolder makes the lab's folder, and refuses one that holds somebody else's things.
func (o Options) makeFolder() error {
	entries, err := os.ReadDir(o.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot read the lab's folder: %w", err)
	}
	if _, err := os.Lstat(filepath.Join(o.Dir, marker)); err != nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty and no lab made it: name another folder in $RPCTL_LAB_DIR", o.Dir)
	}
	for _, dir := range []string{o.Dir, filepath.Join(o.Dir, "run")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot make the lab's folder: %w", err)
		}
	}
	// The images hold setuid programs of another system: for root's eyes only.
	if err := os.MkdirAll(filepath.Join(o.Dir, "cache"), 0o700); err != nil {
		return fmt.Errorf("cannot make the lab's cache: %w", err)
	}
	return os.WriteFile(filepath.Join(o.Dir, marker), nil, 0o644)
}
