// Package hosttext decodes what a host sent. Its text is data: every string is cleaned here, once, so that no
// view can show what a terminal would obey, and no line of a host can pass for one of rpctl's.
package hosttext

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/secret"
	"github.com/re-connect/rpctl/proto"
)

// longest bounds one string of a host, in bytes.
const longest = proto.MaxLogMessage

// heard is a value that has rules of its own for what a host may say; see proto.Error.Heard.
type heard interface{ Heard() }

// Decode decodes JSON of a host into v, a pointer, and cleans all strings in it: each is one line of at most
// 64 KiB without control, bidirectional and invisible characters, and a proto.HostText is also without what
// looks like a secret. A field with the tag host:"signed" stays as it is: its signature is of exactly its bytes.
func Decode(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return err
	}
	Clean(v)
	return nil
}

// Clean does for a value that is decoded already what Decode does. v is a pointer.
func Clean(v any) {
	value := reflect.ValueOf(v).Elem()
	cleanerOf(value.Type())(value)
}

// Line is one text of a host as Decode leaves a HostText.
func Line(text string) proto.HostText {
	return proto.HostText(printable.Excerpt(mask(text[:min(len(text), 4*longest)]), longest))
}

// mask leaves out what looks like a secret. Most texts have none of the characters that stand before one.
func mask(text string) string {
	if !strings.ContainsAny(text, ":=") && !strings.Contains(strings.ToLower(text), "bearer") {
		return text
	}
	return secret.Mask(text)
}

type cleaner func(reflect.Value)

var (
	cleaners   sync.Map // reflect.Type to cleaner
	timeType   = reflect.TypeFor[time.Time]()
	textType   = reflect.TypeFor[proto.HostText]()
	heardType  = reflect.TypeFor[heard]()
	noCleaning = cleaner(func(reflect.Value) {})
)

// cleanerOf is made once for each type: events are many.
func cleanerOf(t reflect.Type) cleaner {
	if known, ok := cleaners.Load(t); ok {
		return known.(cleaner)
	}
	clean := build(t)
	if reflect.PointerTo(t).Implements(heardType) {
		inner := clean
		clean = func(v reflect.Value) {
			inner(v)
			v.Addr().Interface().(heard).Heard()
		}
	}
	cleaners.Store(t, clean)
	return clean
}

func build(t reflect.Type) cleaner {
	switch t.Kind() {
	case reflect.String:
		if t == textType {
			return func(v reflect.Value) { v.SetString(string(Line(v.String()))) }
		}
		return func(v reflect.Value) { v.SetString(printable.Excerpt(v.String(), longest)) }
	case reflect.Pointer:
		return func(v reflect.Value) {
			if !v.IsNil() {
				cleanerOf(t.Elem())(v.Elem())
			}
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 { // raw bytes, or JSON that is decoded later
			return noCleaning
		}
		return func(v reflect.Value) {
			clean := cleanerOf(t.Elem())
			for i := range v.Len() {
				clean(v.Index(i))
			}
		}
	case reflect.Struct:
		return buildStruct(t)
	case reflect.Map, reflect.Interface, reflect.Array:
		panic("hosttext: " + t.String() + " cannot be cleaned: use a struct or a slice")
	default:
		return noCleaning
	}
}

func buildStruct(t reflect.Type) cleaner {
	if t == timeType {
		return noCleaning
	}
	type part struct {
		index int
		clean func() cleaner // looked up late: a type may hold itself
	}
	var parts []part
	for i := range t.NumField() {
		field := t.Field(i)
		switch field.Tag.Get("host") {
		case "signed":
		case "unmasked":
			parts = append(parts, part{i, func() cleaner { return cleanerOf(reflect.TypeFor[string]()) }})
		default:
			parts = append(parts, part{i, func() cleaner { return cleanerOf(field.Type) }})
		}
	}
	return func(v reflect.Value) {
		for _, p := range parts {
			p.clean()(v.Field(p.index))
		}
	}
}
