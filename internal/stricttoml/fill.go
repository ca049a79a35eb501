package stricttoml

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// fill puts value, as the library parsed it, into target, and notes what does not fit.
func (d *Document) fill(path string, value any, target reflect.Value) {
	if text, ok := target.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.fillText(path, value, text)
		return
	}
	switch target.Kind() {
	case reflect.Pointer:
		target.Set(reflect.New(target.Type().Elem()))
		d.fill(path, value, target.Elem())
	case reflect.Struct:
		d.fillStruct(path, value, target)
	case reflect.Map:
		d.fillMap(path, value, target)
	case reflect.Slice:
		d.fillSlice(path, value, target)
	default:
		d.fillScalar(path, value, target)
	}
}

// fillStruct fills the fields that the table names; a name that is no field is a problem.
func (d *Document) fillStruct(path string, value any, target reflect.Value) {
	table, ok := value.(map[string]any)
	if !ok {
		d.mismatch(path, value, target.Type())
		return
	}
	fields := map[string]int{}
	for i := range target.NumField() {
		if tag, _, _ := strings.Cut(target.Type().Field(i).Tag.Get("toml"), ","); tag != "" && tag != "-" {
			fields[tag] = i
		}
	}
	for name, below := range table {
		if i, ok := fields[name]; ok {
			d.fill(Join(path, name), below, target.Field(i))
		} else {
			d.unknown(path, name, slices.Sorted(maps.Keys(fields)))
		}
	}
}

// unknown notes a key that is no field, and what was probably meant.
func (d *Document) unknown(path, name string, fields []string) {
	message := fmt.Sprintf("unknown key `%s`: known here are %s", name, strings.Join(fields, ", "))
	if meant, ok := Closest(name, fields); ok {
		message = fmt.Sprintf("unknown key `%s`: did you mean `%s`?", name, meant)
	}
	if d.advise != nil {
		if advice := d.advise(name); advice != "" {
			message = advice
		}
	}
	d.Refuse(Join(path, name), "%s", message)
}

func (d *Document) fillMap(path string, value any, target reflect.Value) {
	table, ok := value.(map[string]any)
	if !ok {
		d.mismatch(path, value, target.Type())
		return
	}
	target.Set(reflect.MakeMap(target.Type()))
	for name, below := range table {
		if strings.ContainsFunc(name, isHidden) {
			d.Refuse(Join(path, name), "hidden character in the key `%s`", name)
			continue
		}
		element := reflect.New(target.Type().Elem()).Elem()
		d.fill(Join(path, name), below, element)
		target.SetMapIndex(reflect.ValueOf(name).Convert(target.Type().Key()), element)
	}
}

func (d *Document) fillSlice(path string, value any, target reflect.Value) {
	list := reflect.ValueOf(value)
	if list.Kind() != reflect.Slice {
		d.mismatch(path, value, target.Type())
		return
	}
	filled := reflect.MakeSlice(target.Type(), list.Len(), list.Len())
	for i := range list.Len() {
		d.fill(Index(path, i), list.Index(i).Interface(), filled.Index(i))
	}
	target.Set(filled)
}

// fillText gives a string to a type that reads its own text.
func (d *Document) fillText(path string, value any, target encoding.TextUnmarshaler) {
	text, ok := value.(string)
	if !ok {
		d.mismatch(path, value, reflect.TypeFor[string]())
		return
	}
	if err := target.UnmarshalText([]byte(text)); err != nil {
		d.Refuse(path, "`%s`: %s", lastName(path), err)
	}
}

func (d *Document) fillScalar(path string, value any, target reflect.Value) {
	switch v := value.(type) {
	case string:
		if target.Kind() != reflect.String {
			break
		}
		if strings.ContainsFunc(v, func(r rune) bool { return isHidden(r) && r != '\n' }) {
			d.Refuse(path, "hidden character in `%s`", lastName(path))
			return
		}
		target.SetString(v)
		return
	case bool:
		if target.Kind() == reflect.Bool {
			target.SetBool(v)
			return
		}
	case int64:
		switch {
		case target.CanInt() && !target.OverflowInt(v):
			target.SetInt(v)
			return
		case target.CanUint() && v >= 0 && !target.OverflowUint(uint64(v)):
			target.SetUint(uint64(v))
			return
		case target.CanInt(), target.CanUint():
			d.Refuse(path, "`%s` is out of range", lastName(path))
			return
		case target.CanFloat():
			target.SetFloat(float64(v))
			return
		}
	case float64:
		if target.CanFloat() {
			target.SetFloat(v)
			return
		}
	}
	d.mismatch(path, value, target.Type())
}

// mismatch notes a value of the wrong type, in the words of who writes the file.
func (d *Document) mismatch(path string, value any, want reflect.Type) {
	name := "`" + lastName(path) + "`"
	if strings.HasSuffix(path, "]") {
		name = "an element of `" + lastName(parent(path)) + "`"
	}
	d.Refuse(path, "%s must be %s, not %s", name, wanted(want), given(value))
}

// wanted names a Go type as TOML knows it.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return wanted(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list of " + plural(t.Elem())
	case reflect.Struct, reflect.Map:
		return "a table"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

// plural names the type of a list's elements.
func plural(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "lists of " + plural(t.Elem())
	case reflect.Bool:
		return "true or false"
	default:
		return strings.TrimPrefix(wanted(t), "a ") + "s"
	}
}

// given names the type of a parsed value.
func given(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int64:
		return "a whole number"
	case float64:
		return "a number with a fraction"
	case time.Time:
		return "a date or time"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "a list of tables"
	default:
		return "a list"
	}
}
