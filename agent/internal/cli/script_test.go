package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/re-connect/rpctl/lab/scripttest"
	"github.com/re-connect/rpctl/proto"

	"github.com/re-connect/rpctl/agent/internal/setup"
)

// socketVariable tells the rp-agent of these scripts, and only that one, its socket.
const socketVariable = "RP_AGENT_TEST_SOCKET"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rp-agent": func() {
		s := ThisProcess()
		s.Socket, s.Setup = os.Getenv(socketVariable), &setup.Host{Root: "/nowhere", UID: 1}
		s.Paths.Config = "/nowhere/agent.toml"
		os.Exit(Run(s))
	}})
}

// TestScripts plays the command lines of testdata; `exits N rp-agent …` checks the exit status.
// $HEALTHY and $SICK are the sockets of two hosts, $MUTE is that of an agent that ends without a word.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			// A socket's path is short (unix(7)), a script's folder may not be.
			folder, err := os.MkdirTemp("", "rp")
			if err != nil {
				return err
			}
			env.Defer(func() { _ = os.RemoveAll(folder) })
			tb := env.T().(testing.TB)
			for name, f := range map[string]fakeHost{"healthy": {}, "sick": {problems: []proto.HostText{"the disk is full\x1b[2J\u009b2J"}}} {
				state := filepath.Join(folder, name)
				if err := os.Mkdir(state, 0o700); err != nil {
					return err
				}
				listen(tb, state+".sock", state, f)
			}
			if err := listenMute(tb, filepath.Join(folder, "mute.sock")); err != nil {
				return err
			}
			env.Setenv("MUTE", filepath.Join(folder, "mute.sock"))
			env.Setenv("HEALTHY", filepath.Join(folder, "healthy.sock"))
			env.Setenv("SICK", filepath.Join(folder, "sick.sock"))
			env.Setenv(socketVariable, filepath.Join(folder, "healthy.sock"))
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": scripttest.Exits},
	})
}
