package journal

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/re-connect/rpctl/proto"
)

func TestParse(t *testing.T) {
	at := `"__REALTIME_TIMESTAMP":"1777888800123456"`
	cases := []struct {
		name, line string
		want       proto.LogLine // Unit two, priority 6 unless said
		bad        bool
	}{
		{name: "text", line: `{` + at + `,"MESSAGE":"héllo","PRIORITY":"3"}`, want: proto.LogLine{Message: "héllo", Priority: 3}},
		{name: "bytes", line: `{` + at + `,"MESSAGE":[104,105,255,33]}`, want: proto.LogLine{Message: "hi\uFFFD!", Priority: 6}},
		{name: "too long to show", line: `{` + at + `,"MESSAGE":null}`, want: proto.LogLine{Message: unprintable, Priority: 6}},
		{name: "no message", line: `{` + at + `}`, want: proto.LogLine{Message: unprintable, Priority: 6}},
		{name: "empty message", line: `{` + at + `,"MESSAGE":""}`, want: proto.LogLine{Priority: 6}},
		{name: "no bytes", line: `{` + at + `,"MESSAGE":[]}`, want: proto.LogLine{Priority: 6}},
		{name: "given twice", line: `{` + at + `,"MESSAGE":["a","b"]}`, want: proto.LogLine{Message: "a", Priority: 6}},
		{name: "bytes given twice", line: `{` + at + `,"MESSAGE":[[104,105],"b"]}`, want: proto.LogLine{Message: "hi", Priority: 6}},
		{name: "nested too deep", line: `{` + at + `,"MESSAGE":[[[1]]]}`, bad: true},
		{name: "no byte", line: `{` + at + `,"MESSAGE":[256]}`, bad: true},
		{name: "number", line: `{` + at + `,"MESSAGE":1}`, bad: true},
		{name: "odd priority", line: `{` + at + `,"MESSAGE":"a","PRIORITY":"99"}`, want: proto.LogLine{Message: "a", Priority: 6}},
		{name: "unknown unit", line: `{` + at + `,"MESSAGE":"a","_SYSTEMD_UNIT":"init.scope"}`, want: proto.LogLine{Message: "a", Priority: 6}},
		{name: "of the manager", line: `{` + at + `,"MESSAGE":"a","_SYSTEMD_UNIT":"init.scope","UNIT":"` + one + `"}`,
			want: proto.LogLine{Message: "a", Priority: 6, Unit: one}},
		{name: "a forged UNIT", line: `{` + at + `,"MESSAGE":"a","_SYSTEMD_UNIT":"` + one + `","UNIT":"` + two + `"}`,
			want: proto.LogLine{Message: "a", Priority: 6, Unit: one}},
		{name: "no time", line: `{"MESSAGE":"a"}`, bad: true},
		{name: "no JSON", line: `Hint: you are not seeing messages`, bad: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse([]byte(c.line), []string{two, one})
			if c.bad {
				if err == nil {
					t.Fatalf("took %+v", got)
				}
				return
			}
			if c.want.Unit == "" {
				c.want.Unit = two
			}
			if err != nil || got.Time.UnixMicro() != 1777888800123456 {
				t.Fatalf("got %+v, %v", got, err)
			}
			c.want.Time = got.Time
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"__REALTIME_TIMESTAMP":"1","MESSAGE":"a"}`, `{"__REALTIME_TIMESTAMP":"1","MESSAGE":[1,255]}`,
		`{"__REALTIME_TIMESTAMP":"1","MESSAGE":null}`, `{"__REALTIME_TIMESTAMP":"1","MESSAGE":[[1],[2]]}`,
		`{"__REALTIME_TIMESTAMP":"1","MESSAGE":[""]}`, `[]`, ``, `{"__REALTIME_TIMESTAMP":"-1"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		line, err := parse(data, []string{one})
		if err != nil {
			return
		}
		if !utf8.ValidString(string(line.Message)) || len(line.Message) > proto.MaxLogMessage || line.Unit != one ||
			line.Priority < 0 || line.Priority > 7 {
			t.Errorf("let %+v through", line)
		}
	})
}

func TestCutKeepsWholeCharacters(t *testing.T) {
	for _, prefix := range []string{"", "a", "ab", "abc"} {
		got := cut(prefix + strings.Repeat("🚀", proto.MaxLogMessage/4))
		if !utf8.ValidString(got) || len(got) > proto.MaxLogMessage {
			t.Errorf("%d bytes, valid %v", len(got), utf8.ValidString(got))
		}
	}
}
