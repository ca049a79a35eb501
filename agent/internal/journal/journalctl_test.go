package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

func TestArgumentsAreWordsOfTheirOwn(t *testing.T) {
	f := newFake(t)
	fill(f, 1)
	if _, err := f.Tail(t.Context(), one, 7); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(f.dir, "args"))
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Split(string(raw), "\n")
	for _, want := range []string{"--output=json", "--output-fields=" + fields, "--no-pager", "--lines=7", "--unit=" + one} {
		if !slices.Contains(args, want) {
			t.Errorf("%q lacks %q", args, want)
		}
	}
}

func TestProgramFromPath(t *testing.T) {
	f := newFake(t)
	fill(f, 1)
	f.script(t, "no rights")
	t.Setenv("PATH", filepath.Join(f.dir, "nothing"))
	_, err := Journalctl{}.Tail(t.Context(), one, 1)
	if refused, ok := errors.AsType[*proto.Error](err); !ok || refused.Code != proto.CodeHost {
		t.Errorf("without journalctl: %v", err)
	}
	t.Setenv("PATH", f.dir)
	_, err = Journalctl{}.Tail(t.Context(), one, 1)
	checkNoRights(t, err)
}

func checkNoRights(t *testing.T, err error) {
	t.Helper()
	refused, ok := errors.AsType[*proto.Error](err)
	if !ok || !strings.Contains(string(refused.Message), "insufficient permissions") || !strings.Contains(string(refused.Message), "group systemd-journal") || refused.Advice.Text() != "rp-agent doctor" {
		t.Errorf("got %#v", err)
	}
}

func TestNoEntries(t *testing.T) {
	f := newFake(t)
	f.script(t, "nothing")
	if lines, err := f.Tail(t.Context(), one, 1); err != nil || len(lines) != 0 {
		t.Errorf("got %v, %v", lines, err)
	}
}

func TestJournalctlThatEndsWhileFollowed(t *testing.T) {
	f := newFake(t)
	f.script(t, "nothing")
	err := f.Follow(t.Context(), []string{one}, 1, true, func(proto.LogLine) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Errorf("got %v", err)
	}
}

func TestJournalctlThatNeverStopsWritingIsEnded(t *testing.T) {
	f := newFake(t)
	f.script(t, "deaf")
	gone := errors.New("enough")
	if err := f.Follow(t.Context(), []string{one}, 1, true, func(proto.LogLine) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}

func TestAlreadyCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newFake(t).Tail(ctx, one, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestBrokenEntryHidesNothing(t *testing.T) {
	f := newFake(t)
	f.raw(`{"_SYSTEMD_UNIT":"` + one + `","MESSAGE":{}}`)
	f.raw(`{"_SYSTEMD_UNIT":"` + one + `","MESSAGE":"` + strings.Repeat("x", maxEntry) + `"}`)
	fill(f, 1)
	lines, err := f.Tail(t.Context(), one, 3)
	if err != nil || len(lines) != 3 {
		t.Fatalf("got %d lines, %v", len(lines), err)
	}
	for i, want := range []string{"cannot be read", "too long", "one 1"} {
		if !strings.Contains(string(lines[i].Message), want) {
			t.Errorf("line %d is %.80q, want %q", i, lines[i].Message, want)
		}
	}
}
