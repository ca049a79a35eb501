package cli

import "github.com/spf13/cobra"

// exitNoPlans is EX_CONFIG of sysexits(3): rp-agent-run@.service is not restarted after it.
const exitNoPlans = 78

// newJobCommands are the verbs that systemd's job units run. The units are installed with the
// agent, so that the polkit rule names no unit without a file; what they do arrives with plans.
func newJobCommands() []*cobra.Command {
	var all []*cobra.Command
	for _, verb := range []struct{ use, message string }{
		{"run ID", "cannot run job: this agent has no plans yet"},
		{"console ID", "cannot run a console command: this agent has no plans yet"},
		// Its output would stand among the command's own.
		{"console-end ID", ""},
	} {
		all = append(all, &cobra.Command{
			Use:    verb.use,
			Short:  "for systemd: a part of a plan",
			Hidden: true,
			Args:   cobra.ArbitraryArgs,
			RunE: func(*cobra.Command, []string) error {
				return &failure{status: exitNoPlans, message: verb.message}
			},
		})
	}
	return all
}
