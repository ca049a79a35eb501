package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/view"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// end tells how it ended, in this one place, and returns the exit code.
func (a *app) end(verb string, err error) exit.Code {
	if a.paper.unread() && !a.stays.Load() {
		a.closeView()
		return exit.OK // who has read enough asked for no more
	}
	failure := exit.From(err)
	if failure != nil {
		copied := *failure
		if copied.Next == "" {
			copied.Next = a.anyNext(verb, copied.Code)
		}
		copied.Next = a.sameHosts(copied.Next)
		failure = &copied
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

// anyNext is what to type where a failure does not say: how a command is used, or the same once more
// when what the message names is mended.
func (a *app) anyNext(verb string, code exit.Code) string {
	switch code {
	case exit.BadInput:
		return verb + " --help"
	case exit.Refused, exit.LocalFailed:
		return a.again()
	}
	return ""
}

// again is the command that was typed, with more words behind it; a "--" is left behind them.
func (a *app) again(more ...string) string {
	end := slices.Index(a.Args, "--")
	if end < 0 || len(more) == 0 {
		end = len(a.Args)
	}
	line := "rpctl"
	for _, word := range slices.Concat(a.Args[:end], more, a.Args[end:]) {
		line += " " + exit.Word(word)
	}
	return line
}

// confirmed is what to type where nobody can be asked: every word that was typed counts, since a command
// with --yes that lost one (--only, --key, --resolve) would do something else, unasked. No other place makes one.
func (a *app) confirmed() string { return a.again("--yes") }

// instead is the command that was typed with another word in the place of one; --x=y has x and y in it.
func (a *app) instead(wrong, right string) string {
	line, done := "rpctl", false
	for _, word := range a.Args {
		switch name, value, joined := strings.Cut(word, "="); {
		case done:
		case word == wrong:
			word, done = right, true
		case joined && name == wrong:
			word, done = right+"="+value, true
		case joined && value == wrong:
			word, done = name+"="+right, true
		}
		line += " " + exit.Word(word)
	}
	return line
}

// sameHosts puts --hosts and --ssh-config, where they were typed, into commands to type next: pasted
// without them, a command with --yes would go to another inventory's hosts. ssh calls the latter -F.
func (a *app) sameHosts(next string) string {
	commands := split(next)
	for i, command := range commands {
		switch program, rest, _ := strings.Cut(command, " "); {
		case program == "rpctl" && rest != "":
			commands[i] = program + withFlag(rest, "--hosts", a.flags.hosts) + withFlag(rest, "--ssh-config", a.flags.sshConfig) + " " + rest
		case program == "ssh" && rest != "":
			commands[i] = program + withFlag(rest, "-F", a.flags.sshConfig) + " " + rest
		}
	}
	return strings.Join(commands, " && ")
}

// split is the commands of a line; an && within quotes joins none.
func split(line string) []string {
	var commands []string
	begin, quote := 0, byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\\': // of Word: it goes with the next character
			i++
		case c == '\'' || c == '"':
			quote = c
		case strings.HasPrefix(line[i:], " && "):
			commands = append(commands, line[begin:i])
			begin = i + len(" && ")
		}
	}
	return append(commands, line[begin:])
}

// withFlag is a flag for a command that does not have it, and nothing where none was typed.
func withFlag(words, name, value string) string {
	if value == "" || strings.Contains(" "+words, " "+name+" ") || strings.Contains(" "+words, " "+name+"=") {
		return ""
	}
	return " " + name + " " + exit.Word(value)
}

// hostsView shows events whose commands to type next go to the hosts that were meant.
type hostsView struct {
	view.View
	app *app
}

func (v hostsView) Emit(e event.Event) {
	e = owned(e)
	e.Next = v.app.sameHosts(e.Next)
	if e.Summary != nil {
		report := *e.Summary
		report.Next = v.app.sameHosts(report.Next)
		e.Summary = &report
	}
	v.View.Emit(e)
}

// owned has commands of rpctl's in place of what a host advises within a job's error.
func owned(e event.Event) event.Event {
	place := exit.Place{Host: e.Host, Environment: e.Environment}
	if e.Job != nil {
		job := place.Own(*e.Job)
		e.Job = &job
	}
	if e.Status != nil {
		status := *e.Status
		status.Jobs = slices.Clone(status.Jobs)
		for i, job := range status.Jobs {
			status.Jobs[i] = place.Own(job)
		}
		e.Status = &status
	}
	return e
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
	fmt.Fprint(out, view.Suggestion(failure.Host, failure.HostSuggests))
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
		HostSuggests: failure.HostSuggests,
	}
	var refusal *proto.Error
	if errors.As(failure, &refusal) {
		out.Holder = refusal.Holder
	}
	return out
}
