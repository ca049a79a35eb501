package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/re-connect/rpctl/proto"
)

// event is the little of rpctl's --json that is read here.
type event struct {
	Event      string            `json:"event"`
	PlanStatus *proto.PlanStatus `json:"plan_status"`
	Stream     string            `json:"stream"`
	Offset     *int64            `json:"offset"`
	Data       []byte            `json:"data"`
}

func events(text []byte) (all []event, err error) {
	for line := range bytes.Lines(text) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%q is no event: %w", line, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// status is what the tool says of a plan.
func (r *run) status(ctx context.Context, i int) (status proto.PlanStatus, running string, ok bool) {
	p := r.follow(ctx, "migrate", "status", "--plan", r.files[i], "--env", environment, "--json")
	if p == nil || p.code != 0 {
		return status, "", false
	}
	all, err := events(p.stdout.Bytes())
	if err != nil {
		r.violation("%v", err)
		return status, "", false
	}
	for _, e := range all {
		if e.PlanStatus != nil {
			return *e.PlanStatus, string(e.PlanStatus.Running), true
		}
	}
	return status, "", false
}
