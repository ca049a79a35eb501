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
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
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
	// KeepPipes has a write to a reader that has left fail, instead of ending the process; nil where it does not end.
	KeepPipes func()
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
	paper  *paper // is Stdout
	acts   bool   // something is changed: see changes
	viewMu sync.Mutex
	shown  view.View
	sshMu  sync.Mutex
	ssh    *ssh
	heard  listeners
	hurry  chan struct{} // closed by the second Ctrl-C
	// listener takes a Ctrl-C to who asks what is meant by it; nil while nobody does.
	listenMu sync.Mutex
	listener chan struct{}
	raw      bool // stdout is for a job's own bytes: what rpctl says goes to stderr
}

// lastGrace is what a second Ctrl-C leaves to local commands, which are killed then.
const lastGrace = 300 * time.Millisecond

// flags are those that every command has.
type flags struct {
	hosts, sshConfig string
	json, noColor    bool
	timeout          time.Duration
}

// Run is rpctl. It returns the exit code.
func Run(system System) int {
	if system.Now == nil {
		system.Now = time.Now
	}
	a := &app{System: system, hurry: make(chan struct{}), paper: &paper{out: system.Stdout}}
	a.Stdout = a.paper
	ctx, stop := a.interruptible()
	defer stop()
	defer a.closeView() // after a panic too
	root := a.root()
	root.SetArgs(system.Args)
	verb, err := root.ExecuteContextC(ctx)
	return int(a.end(verb.CommandPath(), err))
}

// interruptible ends the context at the first signal, and the process at the second. A Ctrl-C
// that somebody waits for ends nothing; a closed terminal (SIGHUP) cannot be asked.
func (a *app) interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case signal := <-a.Signals:
				if signal == os.Interrupt && a.asked() {
					continue
				}
			}
			if ctx.Err() == nil {
				cancel()
				continue
			}
			close(a.hurry)
			select {
			case <-done:
				return
			case <-time.After(lastGrace):
			}
			a.restore()
			a.Exit(int(exit.Interrupted))
			return
		}
	}()
	return ctx, func() { close(done); cancel() }
}

// asked says whether somebody waits for a Ctrl-C, who has it then.
func (a *app) asked() bool {
	a.listenMu.Lock()
	defer a.listenMu.Unlock()
	select {
	case a.listener <- struct{}{}: // never ready where it is nil
		return true
	default:
		return false
	}
}

// interrupted gives the next Ctrl-C to who asks for it, until it is told to stop.
func (a *app) interrupted() (next <-chan struct{}, stop func()) {
	a.listenMu.Lock()
	defer a.listenMu.Unlock()
	a.listener = make(chan struct{}, 1)
	return a.listener, func() {
		a.listenMu.Lock()
		defer a.listenMu.Unlock()
		a.listener = nil
	}
}

// restore leaves the terminal as it was. One that takes nothing (Ctrl-S, a pager that reads no
// further) holds the view in a write: it is not waited for.
func (a *app) restore() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		a.closeView()
	}()
	select {
	case <-closed:
	case <-time.After(lastGrace):
	}
	if a.Restore != nil {
		a.Restore()
	}
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
		a.shown = view.New(view.Options{
			Out: out, JSON: a.flags.json, Live: live && a.Getenv("TERM") != "dumb", Color: live && a.colors(), Width: a.Width, Now: a.Now,
		})
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
