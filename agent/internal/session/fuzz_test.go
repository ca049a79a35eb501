package session

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

// script is a connection whose caller says data and hangs up.
type script struct {
	io.Reader
	answers bytes.Buffer
}

func (s *script) Write(p []byte) (int, error) { return s.answers.Write(p) }
func (s *script) Close() error                { return nil }

// FuzzServe says anything at all to the agent. It must never panic, answer only with
// well-formed events, and leave the host free.
func FuzzServe(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "hello", `{"ping":true}` + "\n",
		`{"bridge":{"ssh_connection":"a b c d"}}` + "\n" + `{"id":1,"protocol":1,"op":"status"}` + "\n",
		`{"id":1,"protocol":1,"op":"lease","environment":"preprod","args":{"purpose":"deploy"}}` + "\n" +
			`{"id":2,"protocol":1,"op":"restart","environment":"preprod","args":{"batch":1}}` + "\n" + `{"cancel":2}` + "\n",
		`{"id":1,"protocol":1,"op":"journal","environment":"preprod","args":{"follow":true,"only":[""]}}` + "\n",
		`{"id":1,"protocol":1,"op":"verify","environment":"preprod","args":{"expect":[{"unit":"x"}]}}` + "\n" + `{"id":2`,
	} {
		f.Add([]byte(seed))
	}
	state := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		conn := &script{Reader: bytes.NewReader(data)}
		if err := Serve(context.Background(), conn, actor, hostOf(state, &fakeHost{})); err != nil {
			t.Fatal(err)
		}
		open := map[int64]bool{}
		for i, line := range bytes.Split(bytes.TrimSuffix(conn.answers.Bytes(), []byte("\n")), []byte("\n")) {
			if i == 0 {
				continue // the greeting
			}
			var event proto.Event
			if err := proto.DecodeStrict(line, &event); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			ends := event.Event == proto.EventDone || event.Event == proto.EventError
			if ends && event.ID > 0 && open[event.ID] {
				t.Fatalf("request %d is answered twice", event.ID)
			}
			open[event.ID] = ends
			if event.Event == proto.EventDone && !json.Valid(event.Result) || event.Event == proto.EventError && event.Error == nil {
				t.Fatalf("%q", line)
			}
		}
	})
}
