package systemd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/proto"
)

// Check refuses a configuration that must not be rendered for root to believe. All that is
// wrong is said at once.
func Check(cfg proto.HostConfig) error {
	var problems []error
	problems = append(problems, proto.CheckEnvironment(cfg.Environment), checkApplication(cfg.Application))
	if len(cfg.Workers) == 0 {
		problems = append(problems, errors.New("no worker patterns: there would be nothing to restart"))
	}
	for _, pattern := range cfg.Workers {
		problems = append(problems, pattern.CheckWorker())
	}
	problems = append(problems, checkGroups("look", cfg.Look), checkGroups("act", cfg.Act), checkConsole(cfg.Console))
	return errors.Join(problems...)
}

func checkApplication(app proto.Application) error {
	switch {
	case app.User == "root" || app.User == User:
		return fmt.Errorf("the application's user cannot be %s: it must be a user of its own", app.User)
	case app.Check() == nil && strings.Count(app.Path, "/") < 2:
		return fmt.Errorf("bad application path %q: want a folder of its own, like /home/app/www", app.Path)
	default:
		return app.Check()
	}
}

func checkConsole(console *proto.Console) error {
	if console == nil {
		return nil
	}
	var problems []error
	console.Check(func(key string, err error) { problems = append(problems, fmt.Errorf("console.%s: %w", key, err)) })
	return errors.Join(problems...)
}

func checkGroups(which string, groups []string) error {
	if len(groups) == 0 {
		return fmt.Errorf("no group in %q: nobody could use the agent", which)
	}
	for _, group := range groups {
		if err := proto.CheckAccount(group); err != nil {
			return fmt.Errorf("%s: %w", which, err)
		}
	}
	return nil
}
