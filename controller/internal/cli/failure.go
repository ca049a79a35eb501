package cli

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// end tells how it ended, in this one place, and returns the exit code.
func (a *app) end(err error) exit.Code {
	failure := exit.From(err)
	if failure != nil {
		again := *failure
		again.Next = a.sameHosts(again.Next)
		failure = &again
	}
	jsonEnd := failure != nil && a.wantsJSON()
	if jsonEnd {
		a.flags.json = true
		a.emit(event.Event{Kind: event.ErrorEnd, Error: told(failure)})
	}
	a.closeView()
	failure = a.unwritten(failure)
	lost := a.paper.lost()
	if failure != nil && (!jsonEnd || lost != nil) {
		tell(a.Stderr, failure)
	}
	if lost != nil && a.acts {
		fmt.Fprintf(a.Stderr, "rpctl: warning: the output could not be written: %s\n", safe(lost.Error()))
	}
	if failure == nil {
		return exit.OK
	}
	return failure.Code
}

// plainPath needs no quotes in any shell.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9_./~+@%-]+$`)

// sameHosts puts --hosts and --ssh-config, where they were typed, into commands to type next: pasted
// without them, a command with --yes would go to another inventory's hosts.
func (a *app) sameHosts(next string) string {
	typed := ""
	for _, flag := range []struct{ name, value string }{{"--hosts", a.flags.hosts}, {"--ssh-config", a.flags.sshConfig}} {
		switch {
		case flag.value == "":
		case plainPath.MatchString(flag.value):
			typed += flag.name + " " + flag.value + " "
		default:
			typed += flag.name + " '" + strings.ReplaceAll(flag.value, "'", `'\''`) + "' "
		}
	}
	return strings.ReplaceAll(next, "rpctl ", "rpctl "+typed)
}

// wantsJSON looks at the words themselves: a command line that could not be read may have said --json.
func (a *app) wantsJSON() bool {
	if a.flags.json {
		return true
	}
	for _, word := range a.Args {
		if word == "--" {
			return false
		}
		if word == "--json" {
			return true
		}
	}
	return false
}

// tell writes an error for a person: what cannot be done and why, and what to type next.
func tell(out io.Writer, failure *exit.Error) {
	fmt.Fprintf(out, "rpctl: %s\n", safe(failure.Error()))
	if failure.Next != "" {
		fmt.Fprintf(out, "  next: %s\n", safe(failure.Next))
	}
}

// safe neutralises each line of a text that may have several.
func safe(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable.Line(line)
	}
	return strings.Join(lines, "\n")
}

// told is a failure as JSON has it.
func told(failure *exit.Error) *event.Failure {
	out := &event.Failure{
		Code: failure.Code.String(), Exit: int(failure.Code), Message: failure.Message, Next: failure.Next, Host: failure.Host,
	}
	var refusal *proto.Error
	if errors.As(failure, &refusal) {
		out.Holder = refusal.Holder
	}
	return out
}
