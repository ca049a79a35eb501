package cli

import (
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/install"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// vouch tells who signed the rp-agent that will run as root, or that nobody did.
func (i *installation) vouch(host string, binary install.Binary) {
	text := fmt.Sprintf("%s (sha256 %s) is signed by %s", binary.Path, binary.SHA256, binary.Releaser)
	kind := event.Message
	if binary.Releaser == "" {
		kind = event.Warning
		text = fmt.Sprintf("%s (sha256 %s) is not signed, and runs as root: compare the digest with that of another machine that built the same commit, or name who signs in %s",
			binary.Path, binary.SHA256, i.releasers)
	}
	i.app.emit(event.Event{Kind: kind, Environment: i.env, Host: host, Text: text})
}

// maxTextLine limits a line of a generated file, in bytes.
const maxTextLine = 200

// show tells what would change on a host, or what has changed (report.Applied).
func (i *installation) show(host string, report proto.SetupReport) {
	if i.app.flags.json {
		i.app.emit(event.Event{Kind: event.Setup, Environment: i.env, Host: host, Setup: &report})
		return
	}
	i.app.print(setupText(host, report, i.env))
}

func setupText(host string, report proto.SetupReport, env string) string {
	var out strings.Builder
	if report.Applied {
		fmt.Fprintf(&out, "%s  %d changes made\n  next: rpctl doctor --env %s\n", safe(host), len(report.Changes), env)
		return out.String()
	}
	if len(report.Changes) == 0 {
		fmt.Fprintf(&out, "%s  nothing to change\n", safe(host))
	}
	for _, change := range report.Changes {
		fmt.Fprintf(&out, "%s  %-8s %s", safe(host), printable.Line(change.Action), printable.Line(change.Target))
		if change.Detail != "" {
			fmt.Fprintf(&out, "  (%s)", printable.Line(change.Detail))
		}
		out.WriteByte('\n')
		for _, difference := range change.Differences {
			fmt.Fprintf(&out, "%s           %s", safe(host), printable.Line(difference.String()))
			if difference.Effect != "" {
				fmt.Fprintf(&out, "  (%s)", strings.ToUpper(printable.Line(string(difference.Effect))))
			}
			out.WriteByte('\n')
		}
		for _, line := range change.Text[:min(len(change.Text), proto.MaxSetupText)] {
			fmt.Fprintf(&out, "%s           | %s\n", safe(host), printable.Excerpt(line, maxTextLine))
		}
	}
	for _, note := range report.Notes {
		fmt.Fprintf(&out, "%s  note: %s\n", safe(host), printable.Line(note))
	}
	return out.String()
}
