package stricttoml

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

const places = `# a comment
version = 1

[tables.b]
hosts = [
  "one", # [
  "two]",
]
steps = [["a", "b"],
         ["c"]]
text = """
[tables.no]
x = 1 \""" """"

[tables]
[tables."a.b"]
in.line = { x = 1, y = [ { z = 2 } ] }
when = 1979-05-27 07:32:00 # a value with a space

[[list]]
name = 'it''
[[list]]
name = 2
  [[list.below]]
  [list.below.deep]
  x = 1
`

func TestLine(t *testing.T) {
	data := []byte(strings.Replace(places, "'it''", "'it'", 1))
	doc := &Document{positions: map[string]position{}, bad: map[string]bool{}}
	if _, ok := doc.parse(data); !ok {
		t.Fatal(doc.Err())
	}
	for path, want := range map[string]int{
		"version": 2, "tables.b": 4, "tables.b.hosts": 5, "tables.b.hosts[0]": 6, "tables.b.hosts[1]": 7,
		"tables.b.hosts[2]": 5, // not there: the list
		"tables.b.steps[1]": 10, "tables.b.steps[1][0]": 10, "tables.b.text": 11,
		"tables.b.missing": 4, "tables": 15, `tables."a.b"`: 16, `tables."a.b".in.line.y[0].z`: 17,
		`tables."a.b".in`: 17, `tables."a.b".when`: 18,
		"list": 20, "list[0].name": 21, "list[1]": 22, "list[1].name": 23,
		"list[1].below[0]": 24, "list[1].below[0].deep.x": 26,
		"nothing": 1, "": 1, "tables.no": 15,
	} {
		if got := doc.Line(path); got != want {
			t.Errorf("%s is on line %d, want %d", path, got, want)
		}
	}
	if got, want := doc.Names("tables"), []string{"b", "a.b"}; !slices.Equal(got, want) {
		t.Errorf("the names of tables are %q, want %q", got, want)
	}
	if got, want := doc.Names(""), []string{"version", "tables", "list"}; !slices.Equal(got, want) {
		t.Errorf("the names of the file are %q, want %q", got, want)
	}
	if doc.Has("tables.no") || !doc.Has("tables.b.text") {
		t.Error("Has does not tell what is set")
	}
}

func TestClosest(t *testing.T) {
	known := []string{"workers", "hosts", "branch", "preprod", "prod"}
	for word, want := range map[string]string{
		"worker": "workers", "wrokers": "workers", "host": "hosts", "Hosts": "hosts", "brnach": "branch",
		"pprod": "prod", "preprd": "preprod", "xyz": "", "h": "", "": "", strings.Repeat("workers", 20): "",
	} {
		if got, ok := Closest(word, known); got != want || ok != (want != "") {
			t.Errorf("%q is taken for %q, want %q", word, got, want)
		}
	}
}

func TestQuoteIsReadBack(t *testing.T) {
	for _, text := range []string{"", "plain", `a"b\c`, "\x1b[2J\n\t\u202e", "é ☃ \U0001f680", "'''", "# no comment"} {
		var back struct{ K string }
		if _, err := toml.Decode("k = "+Quote(text), &back); err != nil || back.K != text {
			t.Errorf("%q is read back as %q (%v)", text, back.K, err)
		}
	}
}

// FuzzDecode: whatever the library takes, the scanner understands and can place.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		places, "a=1\na=2\n[t]\n[t]\nb=1", "a = [[[1]]]", `a.b."c d".'e' = {f={g=1}}`, "[[a]]\n[a.b]\n[[a]]\n[a.b]",
		"\xef\xbb\xbfa=1", "a='''\n'''''", `a = """\\""""`, "a = {\n b = 1,\n}", `"\u0061" = 1`, "a = 07:32:00", "a=", "[", "\"", "a=\"\\",
		"a = 1 \r\nb = 2\r\n", "'' = 1", "[x]\na.b=1\n[x.a]\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var into sample
		doc, err := Decode("f.toml", data, &into)
		if err != nil && strings.ContainsFunc(strings.ReplaceAll(err.Error(), "\n", ""), isHidden) {
			t.Errorf("control characters in %q", err)
		}
		if doc == nil {
			if err == nil {
				t.Fatal("no document and no error")
			}
			return
		}
		checkPlaces(t, data)
	})
}

func checkPlaces(t *testing.T, data []byte) {
	doc := &Document{positions: map[string]position{}, bad: map[string]bool{}}
	scan := scanner{data: data, doc: doc, line: 1}
	if scan.run() != complete {
		t.Fatalf("the library takes what the scanner does not understand: %q", data)
	}
	var tree map[string]any
	if _, err := toml.NewDecoder(bytes.NewReader(scan.withoutRepeats())).Decode(&tree); err != nil {
		t.Fatal(err)
	}
	lines := bytes.Count(data, []byte("\n")) + 1
	var walk func(path string, value any)
	walk = func(path string, value any) {
		if at, ok := doc.positions[path]; path != "" && (!ok || at.line < 1 || at.line > lines) {
			t.Fatalf("%s has no place in %q", path, data)
		}
		switch v := value.(type) {
		case map[string]any:
			for name, below := range v {
				walk(Join(path, name), below)
			}
		case []any:
			for i, below := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), below)
			}
		case []map[string]any:
			for i, below := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), below)
			}
		}
	}
	walk("", tree)
}
