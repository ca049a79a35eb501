package stricttoml

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

type address struct{ value string }

func (a *address) UnmarshalText(text []byte) error {
	if !strings.Contains(string(text), ":") {
		return fmt.Errorf("want host:port")
	}
	a.value = string(text)
	return nil
}

type inner struct {
	Hosts  []string   `toml:"hosts"`
	Steps  [][]string `toml:"steps"`
	Limit  int        `toml:"limit"`
	Small  uint8      `toml:"small"`
	Ratio  float64    `toml:"ratio"`
	On     *bool      `toml:"on"`
	Listen address    `toml:"listen"`
	Go     string     // has no tag: never set
}

type sample struct {
	Version int              `toml:"version"`
	Tables  map[string]inner `toml:"tables"`
	List    []inner          `toml:"list"`
}

func TestDecodeFillsEverything(t *testing.T) {
	on := true
	want := sample{
		Version: 1,
		Tables: map[string]inner{"a": {
			Hosts: []string{"x", "y"}, Steps: [][]string{{"make", "it"}}, Limit: -3, Small: 255,
			Ratio: 2, On: &on, Listen: address{"h:1"},
		}},
		List: []inner{{Limit: 1}, {Limit: 2}},
	}
	var got sample
	_, err := Decode("f.toml", []byte(`version = 1
[tables."a"]
hosts = ["x", # a comment ]
  'y',
]
steps = [["make", "it"]]
limit = -3
small = 255
ratio = 2
on = true
listen = "h:1"
[[list]]
limit = 1
[[list]]
limit = 2
`), &got)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDecodeProblems(t *testing.T) {
	tests := map[string]struct {
		file string
		want []string
	}{
		"unknown key, near":      {"versoin = 1", []string{"f.toml:1:1: unknown key `versoin`: did you mean `version`?"}},
		"unknown key, far":       {"\nx = 1", []string{"f.toml:2:1: unknown key `x`: known here are list, tables, version"}},
		"case counts":            {"Version = 1", []string{"unknown key `Version`: did you mean `version`?"}},
		"untagged field":         {"[tables.a]\nGo = 'x'", []string{"f.toml:2:1: unknown key `Go`"}},
		"unknown in a list":      {"[[list]]\n[[list]]\n  hots = []", []string{"f.toml:3:3: unknown key `hots`: did you mean `hosts`?"}},
		"unknown in inline":      {"list = [{limit = 1}, {limt = 2}]", []string{"f.toml:1:23: unknown key `limt`: did you mean `limit`?"}},
		"wrong type":             {"version = '1'", []string{"f.toml:1:1: `version` must be a whole number, not a string"}},
		"string for a list":      {"[tables.a]\nhosts = 'x'", []string{"f.toml:2:1: `hosts` must be a list of strings, not a string"}},
		"string for argvs":       {"[tables.a]\nsteps = 'x'", []string{"`steps` must be a list of lists of strings, not a string"}},
		"wrong element":          {"[tables.a]\nhosts = ['x',\n 7]", []string{"f.toml:3:2: an element of `hosts` must be a string, not a whole number"}},
		"wrong nested element":   {"[tables.a]\nsteps = [['x',\n 7]]", []string{"f.toml:3:2: an element of `steps[0]` must be a string"}},
		"table for a number":     {"[version]", []string{"f.toml:1:1: `version` must be a whole number, not a table"}},
		"list of tables":         {"[[tables]]", []string{"f.toml:1:1: `tables` must be a table, not a list of tables"}},
		"value for a table":      {"tables = true", []string{"`tables` must be a table, not true or false"}},
		"date":                   {"version = 2026-01-02", []string{"`version` must be a whole number, not a date or time"}},
		"fraction":               {"version = 1.5", []string{"`version` must be a whole number, not a number with a fraction"}},
		"out of range":           {"[tables.a]\nsmall = 256", []string{"f.toml:2:1: `small` is out of range"}},
		"negative":               {"[tables.a]\nsmall = -1", []string{"f.toml:2:1: `small` is out of range"}},
		"text that is refused":   {"[tables.a]\nlisten = 'x'", []string{"f.toml:2:1: `listen`: want host:port"}},
		"text of another type":   {"[tables.a]\nlisten = 1", []string{"f.toml:2:1: `listen` must be a string, not a whole number"}},
		"key twice":              {"version = 1\nversion = 2", []string{"f.toml:2:1: `version` is set twice: first on line 1"}},
		"quoted key twice":       {"version = 1\n\"version\" = 2", []string{"f.toml:2:1: `version` is set twice: first on line 1"}},
		"dotted key twice":       {"tables.a.limit = 1\ntables . a.'limit' = [\n1]\nx=1", []string{"f.toml:2:1: `limit` is set twice: first on line 1", "f.toml:4:1: unknown key `x`"}},
		"table twice":            {"[tables.a]\nlimit = 1\n[tables.a]\nlimit = 2\nnone = 3\n[tables.b]\nnone = 4", []string{"f.toml:3:1: table [tables.a] is there twice: first on line 1", "f.toml:7:1: unknown key `none`"}},
		"inline key twice":       {"tables.a = {limit = 1, limit = 2}", []string{"f.toml:1:24: "}},
		"syntax":                 {"version = 1\n[tables.a\n", []string{"f.toml:2:"}},
		"syntax after a repeat":  {"version = 1\nversion = 1\n= 3", []string{"f.toml:2:1: `version` is set twice", "f.toml:3:1: "}},
		"unfinished string":      {"version = 1\nx = \"abc\ny = 1", []string{"f.toml:2:"}},
		"more than TOML":         {"version = 1\nx = \"\"\"\\\\\"\"\"\"\"\"", []string{"f.toml:2:15: this is no TOML"}},
		"no value":               {"version =", []string{"f.toml:1:"}},
		"byte order mark":        {"\xef\xbb\xbfversion = 1", []string{"f.toml:1:1: starts with a byte order mark"}},
		"no UTF-8":               {"version = 1\n# caf\xe9", []string{"f.toml:2:6: is no UTF-8 (byte 0xe9)"}},
		"escape sequence":        {"# \x1b[2J\n# é\u202e", []string{"f.toml:1:3: hidden character U+001B", "f.toml:2:4: hidden character U+202E"}},
		"carriage return inside": {"# harmless\rversion = 1", []string{"f.toml:1:11: hidden character U+000D"}},
		"escaped control":        {`tables.a.hosts = ["\u001b[2J"]`, []string{"f.toml:1:19: hidden character in `hosts[0]`"}},
		"control in a key":       {`"\u001b" = 1`, []string{"f.toml:1:1: unknown key `\\x1b`"}},
		"control in a map's key": {`tables."\u001b".limit = 1`, []string{"f.toml:1:1: hidden character in the key `\\x1b`"}},
		"deep lists":             {"x = " + strings.Repeat("[", 1000), []string{"f.toml:1: nested more than 32 deep"}},
		"deep keys":              {strings.Repeat("a.", 1000) + "a = 1", []string{"f.toml:1: nested more than 32 deep"}},
		"all at once, in order": {
			"x = 1\nversion = '1'\n[tables.b]\nlimit = 1\nlimit = 2\nhost = []\n[tables.a]\non = 1\n",
			[]string{"f.toml:1:1: unknown", "f.toml:2:1: `version` must", "f.toml:5:1: `limit` is set twice", "f.toml:6:1: unknown key `host`", "f.toml:8:1: `on` must be true or false"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Decode("f.toml", []byte(test.file), &sample{})
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want problems", err)
			}
			if len(problems) != len(test.want) {
				t.Fatalf("got %d problems, want %d:\n%v", len(problems), len(test.want), err)
			}
			for i, want := range test.want {
				if got := problems[i].String(); !strings.Contains(got, want) {
					t.Errorf("problem %d is\n  %s\nwant\n  %s", i, got, want)
				}
			}
		})
	}
}

func TestDecodeGoesOnAfterProblems(t *testing.T) {
	var got sample
	doc, err := Decode("f.toml", []byte("version = 'x'\n[tables.a]\nlimit = 7\nhosts = ['x', 1]\nnone = 1"), &got)
	if err == nil || doc == nil {
		t.Fatalf("got %v, %v; want a document and problems", doc, err)
	}
	if got.Tables["a"].Limit != 7 {
		t.Errorf("what fits is not filled in: %+v", got)
	}
	doc.Refuse("version", "is missing")
	doc.Refuse("tables.a.hosts", "is not good either")
	var problems Problems
	if errors.As(doc.Err(), &problems); len(problems) != 4 {
		t.Errorf("got %d problems, want 4 (a version of the wrong type is not also missing):\n%v", len(problems), doc.Err())
	}
}

func TestSizeLimit(t *testing.T) {
	data := []byte("version = 1\n#" + strings.Repeat("x", MaxSize))
	if _, err := Decode("f.toml", data[:MaxSize], &sample{}); err != nil {
		t.Errorf("a file of %d bytes is refused: %v", MaxSize, err)
	}
	if _, err := Decode("f.toml", data[:MaxSize+1], &sample{}); err == nil {
		t.Error("a longer file is not refused")
	}
}

func TestManyProblemsAreCut(t *testing.T) {
	_, err := Decode("f.toml", []byte(strings.Repeat("version = 1\n", 100)), &sample{})
	if lines := strings.Split(err.Error(), "\n"); len(lines) != maxShown+1 || lines[maxShown] != "and 69 more" {
		t.Errorf("got %d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestOnUnknown(t *testing.T) {
	_, err := Decode("f.toml", []byte("password = 1\nother = 1"), &sample{}, OnUnknown(func(name string) string {
		if name == "password" {
			return "not here"
		}
		return ""
	}))
	if want := "f.toml:1:1: not here\nf.toml:2:1: unknown key `other`: known here are list, tables, version"; err.Error() != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestDecodeWantsAStruct(t *testing.T) {
	for _, into := range []any{nil, sample{}, (*sample)(nil), new(int)} {
		if _, err := Decode("f.toml", nil, into); err == nil {
			t.Errorf("%T is taken", into)
		}
	}
}
