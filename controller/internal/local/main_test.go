package local

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"testing"
	"time"
)

// TestMain cuts git off from the machine's configuration.
func TestMain(m *testing.M) {
	if script := os.Getenv(helperScript); script != "" {
		beRpctl(script)
		return
	}
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "Dev", "GIT_AUTHOR_EMAIL": "dev@example.org",
		"GIT_COMMITTER_NAME": "Dev", "GIT_COMMITTER_EMAIL": "dev@example.org",
	} {
		_ = os.Setenv(name, value)
	}
	code := m.Run()
	if template != "" {
		_ = os.RemoveAll(template)
	}
	os.Exit(code)
}

// helperScript is the variable that makes this test's program run a script as rpctl would.
const helperScript = "RPCTL_TEST_SCRIPT"

// beRpctl runs script until it ends or Ctrl-C comes, and prints what became of it.
func beRpctl(script string) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := Run(ctx, sh(script), Options{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Grace: 20 * time.Second})
	<-ctx.Done() // Ctrl-C has reached rpctl too
	fmt.Printf("[%v]\n", err)
}
