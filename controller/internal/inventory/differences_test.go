package inventory

import (
	"reflect"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

// TestDifferencesCoverEveryField: a field that is added to Environment is compared.
func TestDifferencesCoverEveryField(t *testing.T) {
	if got := Differences(Environment{}, Environment{}); len(got) > 0 {
		t.Errorf("nothing differs: %v", got)
	}
	for i := range reflect.TypeFor[Environment]().NumField() {
		var now Environment
		field := reflect.ValueOf(&now).Elem().Field(i)
		name := reflect.TypeFor[Environment]().Field(i).Name
		switch field.Kind() {
		case reflect.String:
			field.SetString("x")
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		case reflect.Pointer:
			field.Set(reflect.New(field.Type().Elem()))
		case reflect.Struct:
			field.Field(0).SetString("x")
		default:
			t.Fatalf("%s: what is other in a %s?", name, field.Kind())
		}
		if got := Differences(Environment{}, now); len(got) != 1 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestDifferencesArePrintable: the values are those of a branch that was not reviewed.
func TestDifferencesArePrintable(t *testing.T) {
	old := Environment{Deploy: []string{"make", "deploy"}, Workers: []proto.UnitPattern{"a@*.service"}}
	now := Environment{Deploy: []string{"sh", "-c", "x\x1b[8m\nrpctl: all is well"}, Workers: old.Workers}
	got := Differences(old, now)
	if len(got) != 1 || got[0].Key != "deploy" || got[0].Old != `["make","deploy"]` || strings.ContainsAny(got[0].String(), "\n\x1b") {
		t.Errorf("%q", got)
	}
}
