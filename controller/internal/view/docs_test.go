package view

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/event"
)

// TestJSONIsDocumented looks for every field of an event in docs/json.md.
func TestJSONIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{event.Event{}, event.Failure{}, event.Build{}, event.Report{}, event.StepReport{}, event.HostReport{}} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(v)) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/json.md does not tell of %T.%s (`%s`)", v, field.Name, name)
			}
		}
	}
	for _, kind := range event.Kinds {
		if !strings.Contains(string(page), "\n| `"+string(kind)+"` |") {
			t.Errorf("docs/json.md has no row for event %q", kind)
		}
	}
}
