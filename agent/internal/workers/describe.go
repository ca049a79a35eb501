package workers

import (
	"fmt"
	"strings"
	"syscall"

	"github.com/re-connect/rpctl/agent/internal/units"
)

// describe says in words why a unit that ought to run does not.
func describe(s units.State) string {
	switch {
	case s.Load == "not-found":
		return "there is no such unit on this host"
	case s.Load == "masked":
		return "the unit is masked"
	case s.Load != "" && s.Load != "loaded":
		return fmt.Sprintf("systemd cannot load the unit (%s)", s.Load)
	case s.Result == "start-limit-hit":
		return "systemd gave up after too many starts" + ended(s)
	case restartsItself(s):
		return "it ended and waits to be started again" + ended(s)
	case s.Active == "failed":
		return fmt.Sprintf("it failed (%s)%s", s.Result, ended(s))
	case s.Active == "inactive":
		return "it does not run" + ended(s)
	case s.Running():
		return "it runs"
	}
	return fmt.Sprintf("it is %s (%s)", s.Active, s.Sub)
}

// ended says how the last main process ended, where that is known.
func ended(s units.State) string {
	switch s.ExitKind {
	case "exited":
		return fmt.Sprintf(", last exit status %d", s.ExitCode)
	case "killed":
		return fmt.Sprintf(", last ended by signal %d (%s)", s.ExitCode, syscall.Signal(s.ExitCode))
	case "dumped":
		return fmt.Sprintf(", last dumped core by signal %d (%s)", s.ExitCode, syscall.Signal(s.ExitCode))
	}
	return ""
}

// restartsItself: auto-restart, or auto-restart-queued since systemd 254.
func restartsItself(s units.State) bool { return strings.HasPrefix(s.Sub, "auto-restart") }
