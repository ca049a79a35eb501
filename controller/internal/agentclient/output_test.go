package agentclient

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// TestOutputIsByteExact sends what a line-based reader would spoil: newlines, carriage
// returns, bytes that are no UTF-8, bytes that look like events, and nothing at all.
func TestOutputIsByteExact(t *testing.T) {
	parts := [][]byte{
		[]byte("one\ntwo\r\n\n"), {}, {0xff, 0x00, 0x1b, '[', 'J'}, []byte(`{"event":"done","id":1}` + "\n"),
		bytes.Repeat([]byte("x\n"), proto.MaxOutput/2),
	}
	client, _ := open(t, func(stdin *bufio.Reader, stdout, _ io.Writer) int {
		say(stdout, goodHello)
		line, _ := nextRequest(stdin)
		out, offset := proto.NewWriter(stdout), int64(0)
		for _, part := range parts {
			_ = out.WriteOutput(line.ID, proto.Stdout, offset, part)
			offset += int64(len(part))
		}
		_ = out.Write(proto.Event{Event: proto.EventJob, ID: line.ID, Job: &proto.Job{ID: "abcdefgh"}})
		_ = out.Write(proto.Event{Event: proto.EventDone, ID: line.ID, Result: []byte(`{"id":"abcdefgh"}`)})
		return 0
	})
	var got bytes.Buffer
	jobs := 0
	err := client.Call(t.Context(), proto.OpJobFollow, nil, nil, func(e proto.Event) {
		switch e.Event {
		case proto.EventOutput:
			if e.Output.Offset != int64(got.Len()) {
				t.Errorf("offset %d at byte %d", e.Output.Offset, got.Len())
			}
			got.Write(e.Output.Raw)
		case proto.EventJob:
			jobs++
		}
	})
	if err != nil || !bytes.Equal(got.Bytes(), bytes.Join(parts, nil)) || jobs != 1 {
		t.Errorf("%v, %d bytes of %d, %d job events", err, got.Len(), len(bytes.Join(parts, nil)), jobs)
	}
}

// TestOutputTakesTheSameRoom: a gigabyte of output is no gigabyte of garbage.
func TestOutputTakesTheSameRoom(t *testing.T) {
	const outputs = 200
	client, _ := open(t, func(stdin *bufio.Reader, stdout, _ io.Writer) int {
		say(stdout, goodHello)
		line, _ := nextRequest(stdin)
		out := proto.NewWriter(stdout)
		for i := range outputs {
			_ = out.WriteOutput(line.ID, proto.Stdout, int64(i)*1000, bytes.Repeat([]byte{byte(i)}, 1000))
		}
		_ = out.Write(proto.Event{Event: proto.EventDone, ID: line.ID, Result: []byte(`{}`)})
		return 0
	})
	rooms, got := map[*byte]bool{}, 0
	err := client.Call(t.Context(), proto.OpJobFollow, nil, nil, func(e proto.Event) {
		raw := e.Output.Raw
		rooms[&raw[0]] = true
		if !bytes.Equal(raw, bytes.Repeat([]byte{byte(got)}, 1000)) {
			t.Errorf("output %d is not what was sent", got)
		}
		got++
	})
	if err != nil || got != outputs || len(rooms) > eventsHeld+2 {
		t.Errorf("%v; %d outputs in %d rooms", err, got, len(rooms))
	}
}

func TestBrokenOutput(t *testing.T) {
	const event = `{"event":"output","id":1,"output":{"stream":"stdout","offset":0,"length":3}}` + "\n"
	for name, c := range map[string]struct {
		says string
		lost bool
	}{
		"cut off":              {event + "ab", true},
		"no newline behind it": {event + "abcd\n", false},
		"too long":             {`{"event":"output","id":1,"output":{"stream":"stdout","offset":0,"length":262145}}` + "\n", false},
		"negative":             {`{"event":"output","id":1,"output":{"stream":"stdout","offset":0,"length":-1}}` + "\n", false},
		"before the beginning": {`{"event":"output","id":1,"output":{"stream":"stdout","offset":-1,"length":0}}` + "\n\n", false},
		"no stream":            {`{"event":"output","id":1,"output":{"stream":"stdin","offset":0,"length":0}}` + "\n\n", false},
		"empty":                {`{"event":"output","id":1}` + "\n", false},
		"job without a job":    {`{"event":"job","id":1}` + "\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := open(t, func(stdin *bufio.Reader, stdout, _ io.Writer) int {
				say(stdout, goodHello)
				_, _ = nextRequest(stdin)
				_, _ = io.WriteString(stdout, c.says)
				return 0
			})
			err := client.Call(t.Context(), proto.OpJobFollow, nil, nil, func(proto.Event) {})
			var lost *LostError
			if err == nil || errors.As(err, &lost) != c.lost || !c.lost && exit.From(err).Code != exit.HostFailed {
				t.Errorf("got %v", err)
			}
		})
	}
}
