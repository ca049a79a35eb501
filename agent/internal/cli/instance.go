package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/agent/internal/host"
	"github.com/re-connect/rpctl/agent/internal/peer"
	"github.com/re-connect/rpctl/agent/internal/places"
	"github.com/re-connect/rpctl/agent/internal/session"
	"github.com/re-connect/rpctl/internal/exitcode"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// A connection needs little memory and is one of many: the collector is to work early (at a fourth of
// its usual threshold, in percent) and hard from memoryGoal on, in bytes; the unit's MemoryMax is the bound.
const (
	collectAt  = 25
	memoryGoal = 48 << 20
)

// instanceVerb is what rp-agent@.service runs.
const instanceVerb = "instance"

// newInstanceCommand serves the connection that rp-agent@.service hands over.
func (s System) newInstanceCommand() *cobra.Command {
	return &cobra.Command{
		Use:    instanceVerb,
		Short:  "Serve one connection on standard input; rp-agent@.service runs this",
		Hidden: true,
		Args:   noArguments,
		RunE:   func(cmd *cobra.Command, _ []string) error { return s.serve(cmd.Context()) },
	}
}

// serve speaks with the caller on standard input until either side ends it.
func (s System) serve(ctx context.Context) error {
	debug.SetGCPercent(collectAt)
	debug.SetMemoryLimit(memoryGoal)
	conn, err := s.Inherited()
	if err != nil {
		return &failure{status: exitcode.BadInput, message: fmt.Sprintf("cannot serve: %v; rp-agent.socket starts this, no person does", err),
			next: "rp-agent status"}
	}
	caller, err := peer.FromConn(conn)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	here, free := host.Open(s.Paths)
	here.Log = s.log
	place, err := places.Take(s.Paths.State, caller.UID)
	switch {
	case errors.Is(err, places.ErrFull):
		here.Refused = crowded(caller)
	case err != nil:
		s.log(err) // a full disk is no reason to serve nobody
	case place.Reserved:
		here.Crowded = crowded(caller)
	}
	defer place.Free()
	err = session.Serve(ctx, conn, caller, here)
	if errors.Is(err, session.ErrLost) {
		// Any member can lose connections in a loop: the unit's LogLevelMax= keeps these lines out of the journal.
		fmt.Fprintln(s.Stderr, levelInfo+"rp-agent:", printable.Line(err.Error()))
		err = nil
	}
	return errors.Join(err, free())
}

// levelInfo begins a line that is no warning (sd-daemon(3)).
const levelInfo = "<6>"

// crowded refuses a caller where all places are taken, or those of its login.
func crowded(caller peer.Caller) *proto.Error {
	return &proto.Error{Code: proto.CodeLimit, Advice: proto.Advice{Code: proto.AdviceAgents, Account: caller.User},
		Message: proto.Textf("cannot serve: %s holds %d connections already, or all logins together hold too many; end some of them; until then `rpctl jobs` and `rpctl cancel` are served", caller.User, places.Max)}
}

// log writes for the host's journal.
func (s System) log(err error) { fmt.Fprintln(s.Stderr, "rp-agent:", printableLines(err.Error())) }

// printableLines keeps the lines of a stack and nothing that a terminal would act on.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable.Line(line)
	}
	return strings.Join(lines, "\n")
}
