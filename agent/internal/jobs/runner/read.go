package runner

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/re-connect/rpctl/agent/internal/symfony"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/secret"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// maxOutput is the longest output that is read for its tables, in bytes: the runner's unit has 512 MiB.
const maxOutput = 16 << 20

// result is what a run printed, when it is the output of this very step. The error shows what could not be read.
func (w *work) result(step plan.Located, out outcome) (proto.StepResult, error) {
	if !out.end.OK() {
		return proto.StepResult{}, &saidError{out.end.String(), w.lastWords(out)}
	}
	output, err := readAll(w.Folders.Stdout(out.run.Console))
	if err != nil {
		return proto.StepResult{}, err
	}
	m, err := symfony.ParseMigration(output)
	if err != nil {
		return proto.StepResult{}, &saidError{"its tables cannot be read", ": " + secret.Mask(err.Error()) + w.lastWords(out)} // it may quote a line
	}
	return resultOf(step, m)
}

// resultOf holds the console's figures to the plan's centres.
func resultOf(step plan.Located, m symfony.Migration) (proto.StepResult, error) {
	for _, c := range []struct {
		role string
		want plan.Centre
		got  symfony.Centre
	}{{"origin", step.Origin, m.Origin}, {"destination", step.Destination, m.Destination}} {
		if c.got.ID != c.want.ID || !c.got.Name.Is(c.want.Name) {
			return proto.StepResult{}, &saidError{fmt.Sprintf("the %s is %d %q in the plan, and not to the console: correct the plan", c.role, c.want.ID, c.want.Name),
				fmt.Sprintf("; the console says %d %q", c.got.ID, printable.Excerpt(c.got.Name.String(), 200))}
		}
	}
	if step.WithAccommodations && m.Accommodations == nil {
		return proto.StepResult{}, errors.New("the console does not say how many accommodations would move")
	}
	result := proto.StepResult{
		Figures:        plan.Figures{Origin: m.Origin.Before, Destination: m.Destination.Before, Moved: m.Moved},
		Accommodations: m.Accommodations,
	}
	for _, c := range m.Conflicts {
		result.Conflicts = append(result.Conflicts, proto.Conflict(c))
	}
	return result, nil
}

func readAll(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the output: %w", err)
	}
	defer file.Close()
	output, err := io.ReadAll(io.LimitReader(file, maxOutput+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the output: %w", err)
	}
	if len(output) > maxOutput {
		return nil, fmt.Errorf("the output is longer than %d MiB, and is not searched for the tables", maxOutput>>20)
	}
	return output, nil
}
