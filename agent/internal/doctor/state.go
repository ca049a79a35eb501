package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/re-connect/rpctl/agent/internal/stateform"
	"github.com/re-connect/rpctl/proto"
)

// state looks at the form of the state folder. A session that could not bring it to this agent's form, and
// could do without, has said nothing.
func (e *examination) state(context.Context) (string, error) {
	number, err := stateform.Look(e.State)
	var refusal *proto.Error
	switch {
	case errors.As(err, &refusal):
		return "", wrong(refusal.Advice, "%s", refusal.Message)
	case err != nil:
		return "", err
	case number < stateform.Latest():
		return "", wrong(proto.Advice{Code: proto.AdviceDisk, Path: e.State}, "%s has form %d, and could not be brought to form %d: is its disk full or read-only?",
			e.State, number, stateform.Latest())
	}
	return fmt.Sprintf("%s has form %d, as this agent writes it", e.State, number), nil
}
