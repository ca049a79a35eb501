package cli

import (
	"context"
	"errors"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/agent/internal/host"
	"github.com/re-connect/rpctl/proto"
)

// runnerMemory is where the collector starts to work harder, in bytes; the unit's MemoryMax is 512 MiB.
const runnerMemory = 384 << 20

// newRunCommand does a job, or what is left of it; rp-agent-run@.service runs this.
func (s System) newRunCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "run JOB",
		Short:  "Do a job, or what is left of it; rp-agent-run@.service runs this",
		Hidden: true,
		Args:   oneArgument("a job's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := proto.JobID(args[0])
			if !id.Valid() {
				return usage("the argument is no job's id: systemd starts this, and a person types rpctl migrate", "rpctl migrate --help")
			}
			debug.SetMemoryLimit(runnerMemory)
			err := host.RunJob(cmd.Context(), s.Paths, id, s.log)
			if errors.Is(err, context.Canceled) {
				return nil // asked to stop: what there is to know is on the disk
			}
			return err
		},
	}
}
