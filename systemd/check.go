package systemd

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/re-connect/rpctl/proto"
)

// The forms are narrower than what the kernel allows: these words are put into unit files, a
// polkit rule and sudo-like decisions, where a blank, a quote, a % or a colon would mean something.
var (
	pathForm        = regexp.MustCompile(`^(/[A-Za-z0-9_.+@-]+){2,}$`)
	nameForm        = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	environmentForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
)

// ValidName says whether name can be a user's or a group's (useradd(8)).
func ValidName(name string) bool { return nameForm.MatchString(name) }

// Check refuses a configuration that must not be rendered for root to believe. All that is
// wrong is said at once.
func Check(cfg proto.HostConfig) error {
	var problems []error
	if !environmentForm.MatchString(cfg.Environment) {
		problems = append(problems, fmt.Errorf("bad environment %q: want a short name like preprod", cfg.Environment))
	}
	problems = append(problems, checkApplication(cfg.Application)...)
	if len(cfg.Workers) == 0 {
		problems = append(problems, errors.New("no worker patterns: there would be nothing to restart"))
	}
	for _, pattern := range cfg.Workers {
		problems = append(problems, checkPattern(pattern))
	}
	problems = append(problems, checkGroups("look", cfg.Look), checkGroups("act", cfg.Act))
	return errors.Join(problems...)
}

func checkApplication(app proto.Application) []error {
	var problems []error
	if !pathForm.MatchString(app.Path) || path.Clean(app.Path) != app.Path {
		problems = append(problems, fmt.Errorf("bad application path %q: want an absolute path like /home/app/www, of letters, digits and ._+@-", app.Path))
	}
	switch {
	case app.User == "root" || app.User == User:
		problems = append(problems, fmt.Errorf("the application's user cannot be %s: it must be a user of its own", app.User))
	case !ValidName(app.User):
		problems = append(problems, fmt.Errorf("bad application user %q: want a login name", app.User))
	}
	return problems
}

func checkPattern(pattern proto.UnitPattern) error {
	if err := pattern.Check(); err != nil {
		return err
	}
	if strings.HasPrefix(string(pattern), "rp-agent") {
		return fmt.Errorf("bad unit pattern %q: the agent's own units are no workers", string(pattern))
	}
	return nil
}

func checkGroups(which string, groups []string) error {
	if len(groups) == 0 {
		return fmt.Errorf("no group in %q: nobody could use the agent", which)
	}
	for _, group := range groups {
		if !ValidName(group) {
			return fmt.Errorf("bad group %q in %q: want a group's name", group, which)
		}
	}
	return nil
}
