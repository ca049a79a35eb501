// Package cli is rpctl's command line: one file for each verb, and one place
// where errors are told. What it needs of the process comes in a System, so that tests run it in-process.
package cli

import (
	"context"
	"io"
	"os"
	osuser "os/user"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/re-connect/rpctl/controller/internal/connect"
	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/local"
	"github.com/re-connect/rpctl/controller/internal/view"
	"github.com/re-connect/rpctl/proto"
)

// System is the process that rpctl runs in.
type System struct {
	Args           []string // without the program's name
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Dir            string // working directory
	Hostname       string
	// Asks says that somebody can be asked on Stdin; Live, that Stdout is a terminal.
	Asks, Live bool
	Width      func() int
	// Secret asks for something that must not be shown; nil where nobody can be asked.
	Secret func(question string) ([]byte, error)
	// Signals brings Ctrl-C and its like; the second one leaves at once through Exit, after Restore.
	Signals <-chan os.Signal
	Exit    func(code int)
	Restore func()
	// Alive is how often rpctl asks a host for a sign of life, and gives its agent one, and how long an answer
	// may take; 0 means the defaults of packages connect and agentclient.
	Alive time.Duration
	// Dial replaces SSH in tests; nil means SSH.
	Dial func(ctx context.Context, target fleet.Target) (fleet.Agent, error)
	Now  func() time.Time
	// Sign replaces the operator's keys in tests; nil means those that ssh would offer.
	Sign func(ctx context.Context, alias, keyFile, namespace, body string) (proto.Signed, error)
}

// app is one run of rpctl.
type app struct {
	System
	flags  flags
	paper  *paper      // is Stdout
	acts   bool        // something is changed: see changes
	stays  atomic.Bool // who reads may leave: see changes
	viewMu sync.Mutex
	shown  view.View
	sshMu  sync.Mutex
	ssh    *ssh
	heard  listeners
	audits audits       // of the hosts that were reached
	hurry  *local.Hurry // for the second Ctrl-C
	// listener takes a Ctrl-C to who asks what is meant by it; nil while nobody does.
	listenMu sync.Mutex
	listener chan struct{}
	unasked  atomic.Bool // a question for a secret was left without an answer
	raw      bool        // stdout is for a job's own bytes: what rpctl says goes to stderr
}

// flags are those that every command has.
type flags struct {
	hosts, sshConfig string
	json, noColor    bool
	timeout          time.Duration
}

// Run is rpctl. It returns the exit code.
func Run(system System) int {
	if code, asked := connect.Askpass(system.Args, system.Getenv, system.Stdout); asked {
		return code
	}
	if system.Now == nil {
		system.Now = time.Now
	}
	a := &app{System: system, hurry: local.NewHurry(), paper: &paper{out: system.Stdout}}
	a.Stdout = a.paper
	ctx, stop := a.interruptible()
	defer stop()
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	a.paper.leave = func() {
		if !a.stays.Load() {
			leave()
		}
	}
	defer a.showTyping()
	defer a.closeView() // after a panic too
	root := a.root()
	root.SetArgs(system.Args)
	verb, err := root.ExecuteContextC(ctx)
	return int(a.end(verb.CommandPath(), err))
}

// view is made at the first event, when the flags are known.
func (a *app) view() view.View {
	a.viewMu.Lock()
	defer a.viewMu.Unlock()
	if a.shown == nil {
		out, live := a.Stdout, a.Live
		if a.raw {
			out, live = a.Stderr, false
		}
		a.shown = hostsView{app: a, View: view.New(view.Options{
			Out: out, JSON: a.flags.json, Live: live && a.Getenv("TERM") != "dumb", Color: live && a.colors(), Width: a.Width, Now: a.Now,
		})}
	}
	return a.shown
}

// colors says whether colours are wanted: https://no-color.org for NO_COLOR.
func (a *app) colors() bool {
	return a.Live && !a.flags.noColor && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb"
}

func (a *app) closeView() {
	a.viewMu.Lock()
	shown := a.shown
	a.viewMu.Unlock()
	if shown != nil {
		shown.Close()
	}
}

// emit shows an event of a command that has no steps.
func (a *app) emit(e event.Event) {
	e.Time = a.Now().UTC()
	a.view().Emit(e)
}

// operator is who types, as the host's audit keeps it: told, not proved.
func (a *app) operator() string {
	user := a.Getenv("USER")
	if user == "" {
		user = a.Getenv("LOGNAME")
	}
	if known, err := osuser.Current(); user == "" && err == nil { // cron and CI set neither
		user = known.Username
	}
	if user == "" {
		user = "uid " + strconv.Itoa(os.Getuid())
	}
	return user + "@" + a.Hostname
}
