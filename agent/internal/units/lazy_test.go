package units

import (
	"context"
	"errors"
	"testing"
)

type counted struct {
	Manager
	closed *int
}

func (c counted) State(context.Context, string) (State, error) { return State{Active: "active"}, nil }
func (c counted) Close() error                                 { *c.closed++; return nil }

func TestLazyOpensWhenAskedAndTriesAgain(t *testing.T) {
	broken := errors.New("no bus")
	opened, closed := 0, 0
	manager := Lazy(func(context.Context) (Manager, error) {
		opened++
		if opened == 1 {
			return nil, broken
		}
		return counted{closed: &closed}, nil
	})
	if err := manager.Close(); err != nil || opened != 0 {
		t.Errorf("Close of what was never opened: %v, opened %d times", err, opened)
	}
	if _, err := manager.State(t.Context(), "a.service"); !errors.Is(err, broken) {
		t.Errorf("first State: %v", err)
	}
	for range 2 {
		if state, err := manager.State(t.Context(), "a.service"); err != nil || state.Active != "active" {
			t.Errorf("State = %+v, %v", state, err)
		}
	}
	if err := manager.Close(); err != nil || opened != 2 || closed != 1 {
		t.Errorf("%v, opened %d times, closed %d times", err, opened, closed)
	}
}
