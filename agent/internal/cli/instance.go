package cli

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/agent/internal/host"
	"github.com/re-connect/rpctl/agent/internal/peer"
	"github.com/re-connect/rpctl/agent/internal/session"
	"github.com/re-connect/rpctl/internal/printable"
)

// memoryGoal is where the collector starts to work harder, in bytes; the unit's MemoryMax is the bound.
const memoryGoal = 48 << 20

// newInstanceCommand serves the connection that rp-agent@.service hands over.
func (s System) newInstanceCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "instance",
		Short:  "Serve one connection on standard input; rp-agent@.service runs this",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			debug.SetMemoryLimit(memoryGoal)
			conn, err := s.Inherited()
			if err != nil {
				return &failure{status: exitBadInput, message: fmt.Sprintf("cannot serve: %v", err),
					next: "nothing: rp-agent.socket starts this; a person types `rp-agent status`"}
			}
			caller, err := peer.FromConn(conn)
			if err != nil {
				return errors.Join(err, conn.Close())
			}
			here, free := host.Open(s.Paths)
			here.Log = s.log
			err = session.Serve(cmd.Context(), conn, caller, here)
			return errors.Join(err, free())
		},
	}
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
