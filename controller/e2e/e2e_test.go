// Package e2e_test types rpctl as a developer does: the whole process against hosts of
// lab/inprocess (real SSH, the real agent, real child processes). README.md says which
// script shows which line of bad input and bad luck.
package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/re-connect/rpctl/controller/internal/cli"
	"github.com/re-connect/rpctl/lab/inprocess"
)

func TestMain(m *testing.M) {
	inprocess.RunApp()
	if err := flag.Set("test.parallel", together); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){
		"rpctl": func() { os.Exit(cli.Run(cli.ThisProcess())) },
		"exits": func() { os.Exit(exits(os.Args[1:])) },
		"race":  func() { os.Exit(race(os.Args[1:])) },
		"pause": func() { os.Exit(pause(os.Args[1])) },
	})
}

// together is how many scripts run at the same time: they wait for settle times more than they work.
const together = "8"

// TestScripts plays testdata. A script begins with the command lab, which starts hosts and
// goes to the developer's work tree; commands_test.go has the other commands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			for _, pair := range [][2]string{
				{"HOME", filepath.Join(env.WorkDir, "home")}, {"USER", "alice"}, {"HOLD", env.WorkDir},
				{"RPCTL_SSH_CONFIG", filepath.Join(env.WorkDir, "lab", "ssh_config")},
				{"GIT_CONFIG_GLOBAL", os.DevNull}, {"GIT_CONFIG_SYSTEM", os.DevNull}, {"SSH_AUTH_SOCK", ""},
			} {
				env.Setenv(pair[0], pair[1])
			}
			return nil
		},
		Cmds: commands,
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
	})
}
