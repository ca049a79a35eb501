package jobs

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
)

// Command is a run as it is executed.
type Command struct {
	Spec console.Spec
	Argv []string
	Dir  string
}

// Command is what a run becomes, judged by who executes it: the application's user on a real host. owner may have
// written its spec. A real run is refused unless what comes along with it is signed by those whom this host's own files
// name, and always where dryRun says that the process is in the unit of dry runs: a run has one unit, or it could be
// started in both at once.
func (p Parts) Command(id console.ID, owner uint32, dryRun bool) (Command, error) {
	spec, err := p.Folders.ReadSpec(id, owner)
	if err != nil {
		return Command{}, err
	}
	if p.Config.Console == nil {
		return Command{}, errors.New("agent.toml has no [console]: this host runs no console commands")
	}
	current, err := p.Releases.Current()
	if err != nil {
		return Command{}, err
	}
	if dryRun && !spec.DryRun {
		return Command{}, errors.New("the real run is refused: this unit is for dry runs")
	}
	if !spec.DryRun {
		if err := p.provable(id, spec, current.Revision); err != nil {
			return Command{}, fmt.Errorf("the real run is refused: %w", err)
		}
	}
	return Command{Spec: spec, Argv: spec.Argv(*p.Config.Console), Dir: current.Path}, nil
}

func (p Parts) provable(id console.ID, spec console.Spec, revision string) error {
	c := spec.Carried
	if c == nil {
		return errors.New("nothing that was signed comes along with it: an older rp-agent started it")
	}
	if id != console.NewRealID(c.Start.ID, c.Step) {
		return fmt.Errorf("it is not the run of step %.20q of job %.64q", c.Step, c.Start.ID)
	}
	now := time.Now()
	if p.Now != nil {
		now = p.Now()
	}
	step, err := p.plans().Verify(*c, *p.Config.Console, revision, now.UTC())
	if err != nil {
		return err
	}
	if !slices.Equal(step.Args(false), spec.Step.Args(false)) {
		return fmt.Errorf("it is not what step %s of the plan says", c.Step)
	}
	return nil
}
