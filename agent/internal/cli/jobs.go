package cli

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// newJobsCommand lists the host's jobs, or shows one.
func (s System) newJobsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "jobs [JOB] [--json]",
		Short: "The jobs on this host, newest first, or one job with its steps",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ask := proto.JobsArgs{}
			if len(args) == 1 {
				ask.ID = proto.JobID(args[0])
			}
			var list proto.JobList
			if err := s.question(cmd.Context(), proto.OpJobs, ask, &list); err != nil {
				return err
			}
			if asJSON {
				return writeJSON(s.Stdout, list)
			}
			return s.writeJobs(list, ask.ID != "")
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on one line")
	return cmd
}

func (s System) writeJobs(list proto.JobList, steps bool) error {
	if len(list.Jobs) == 0 {
		_, err := fmt.Fprintln(s.Stdout, "no jobs on this host")
		return err
	}
	table := tabwriter.NewWriter(s.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "JOB\tKIND\tSTATE\tSTEPS\tBEGAN\tBY\tTICKET")
	for _, job := range list.Jobs {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d/%d\t%s\t%s\t%s\n", job.ID, job.Kind, job.State, finished(job), len(job.Steps),
			job.Created.Local().Format(time.DateTime), printable.Excerpt(string(job.Operator), 40), printable.Excerpt(string(job.Ticket), 60))
		if job.Error != nil {
			fmt.Fprintf(table, "  %s\n", printable.Excerpt(string(job.Error.Message), 300))
		}
		if !steps {
			continue
		}
		for _, step := range job.Steps {
			fmt.Fprintf(table, "  step %s\t\t%s\t%s\n", step.Step, step.State, printable.Excerpt(string(step.Detail), 200))
		}
	}
	return table.Flush()
}

// finished is how many steps have come to where the job wants them.
func finished(job proto.Job) int {
	n := 0
	for _, step := range job.Steps {
		if step.State == proto.StepVerified || job.Kind == proto.KindSimulate && step.State == proto.StepSimulated {
			n++
		}
	}
	return n
}
