package cli

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/re-connect/rpctl/lab/scripttest"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rpctl": func() {
		dir, err := os.Getwd()
		if err != nil {
			panic(err)
		}
		os.Exit(Run(System{
			Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
			Getenv: os.Getenv, Dir: dir, Hostname: "laptop", Exit: os.Exit,
		}))
	}})
}

// TestScripts plays the command lines of testdata; `exits N rpctl …` checks the exit code.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("USER", "alice")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": scripttest.Exits},
	})
}

// TestExitCodesAreDocumented compares docs/exit-codes.md with package exit, both ways.
func TestExitCodesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[int]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (\\d+) \\| `([a-z_]+)` \\|").FindAllSubmatch(page, -1) {
		code, _ := strconv.Atoi(string(row[1]))
		documented[code] = string(row[2])
	}
	for code := range 256 {
		if name := exit.Code(code).String(); name != documented[code] {
			t.Errorf("exit code %d is %q, docs/exit-codes.md has %q", code, name, documented[code])
		}
	}
}

// stuckDial dials a host that never answers, whatever the context says, and presses Ctrl-C twice.
func stuckDial(release chan struct{}, signals chan<- os.Signal) func(context.Context, fleet.Target) (fleet.Agent, error) {
	return func(context.Context, fleet.Target) (fleet.Agent, error) {
		select {
		case signals <- os.Interrupt:
		default:
		}
		<-release
		return nil, context.Canceled
	}
}
