package session

import (
	"encoding/json"
	"fmt"

	"github.com/re-connect/rpctl/proto"
)

// The room that the event around an answer takes, in bytes and in values.
const (
	aroundBytes  = 256
	aroundValues = 16
)

// fit is v in JSON, small enough for the other side to read, with that much room left on the line. Where it is
// too long for that, jobs leave out their conflicts: who decides about those has them from the simulation's receipt.
func fit(v any, bytes, values int) (json.RawMessage, error) {
	data, err := encode(v, bytes, values)
	if short := shorter(v); err != nil && short != nil {
		return encode(short, bytes, values)
	}
	return data, err
}

func encode(v any, bytes, values int) (json.RawMessage, error) {
	data, err := json.Marshal(v)
	switch {
	case err != nil:
		return nil, err
	case len(data)+1 > proto.MaxLine-bytes:
		return nil, proto.ErrLineTooLong
	case proto.Values(data) > proto.MaxAnswerValues-values:
		return nil, fmt.Errorf("it has more than %d values", proto.MaxAnswerValues)
	}
	return data, nil
}

// shorter is v without the conflicts of its jobs, or nil where it has none.
func shorter(v any) any {
	switch v := v.(type) {
	case proto.Event:
		if v.Job == nil {
			return nil
		}
		job := v.Job.WithoutConflicts()
		v.Job = &job
		return v
	case proto.Job:
		return v.WithoutConflicts()
	case proto.JobList:
		short := proto.JobList{Jobs: make([]proto.Job, len(v.Jobs))}
		for i, job := range v.Jobs {
			short.Jobs[i] = job.WithoutConflicts()
		}
		return short
	}
	return nil
}
