package cli

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestCtrlCAtAPrompt: the question is left at once, the terminal shows again what is typed, and what is typed too late is wiped.
func TestCtrlCAtAPrompt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	typed, late, restored := make(chan struct{}), []byte("hush"), 0
	var out strings.Builder
	a := &app{System: System{
		Stdout: &out, Stderr: io.Discard, Getenv: func(string) string { return "" },
		Secret:  func(string) ([]byte, error) { cancel(); <-typed; return late, nil },
		Restore: func() { restored++ },
	}}
	if secret, err := a.askSecret(ctx, "password: "); !errors.Is(err, context.Canceled) || secret != nil || restored != 1 {
		t.Errorf("%q, %v, restored %d times", secret, err, restored)
	}
	close(typed)
	if a.showTyping(); restored != 2 {
		t.Errorf("at the end, restored %d times", restored)
	}
	if _, err := a.askSecret(ctx, "password: "); !errors.Is(err, context.Canceled) {
		t.Errorf("asked after Ctrl-C: %v", err)
	}
}

func TestAskSecret(t *testing.T) {
	a := &app{System: System{Stdout: io.Discard, Getenv: func(string) string { return "" }, Secret: func(string) ([]byte, error) { return []byte("hush"), nil }}}
	if secret, err := a.askSecret(t.Context(), "password: "); err != nil || string(secret) != "hush" {
		t.Errorf("%q, %v", secret, err)
	}
}
