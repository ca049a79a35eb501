package scale

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/lab/labtest"
)

// serveFlag makes the test binary the process of the hosts.
var serveFlag = flag.String("serve", "", "be the hosts in this folder")

// sizes are those of the hosts in these tests.
var sizes = Sizes{Alive: 180, Silent: 10, Refusing: 10, Broken: 1}

func TestMain(m *testing.M) {
	inprocess.RunApp()
	flag.Parse()
	if *serveFlag == "" {
		os.Exit(m.Run())
	}
	if err := Serve(context.Background(), *serveFlag, sizes, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// mostMemory is what rpctl may take for 200 hosts (KiB): 100 MB. It is no timed figure: docs/scale.md has those.
const mostMemory = 100 << 10

func TestTwoHundredHosts(t *testing.T) {
	rpctl := filepath.Join(labtest.Build(t, labtest.Rpctl), "rpctl")
	dir := t.TempDir()
	fleet, err := Start(t.Context(), dir, exec.CommandContext(t.Context(), os.Args[0], "-serve", dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fleet.Close)
	run := func(t *testing.T, exit int, args ...string) string {
		t.Helper()
		figure, err := Measure(t.Context(), dir, fleet.Rpctl(rpctl, args...))
		if err != nil {
			t.Fatal(err)
		}
		if figure.Exit != exit {
			t.Fatalf("rpctl %s: exit code %d, want %d\n%.2000s", strings.Join(args, " "), figure.Exit, exit, figure.Output)
		}
		if figure.PeakKiB > mostMemory {
			t.Errorf("rpctl %s took %d KiB, want at most %d", strings.Join(args, " "), figure.PeakKiB, mostMemory)
		}
		return figure.Output
	}
	t.Run("status", func(t *testing.T) {
		said := run(t, 0, "status", "--json", "--env", EnvAlive)
		if got := strings.Count(said, `"event":"status"`); got != sizes.Alive {
			t.Errorf("%d hosts told their status, want %d", got, sizes.Alive)
		}
	})
	t.Run("dead hosts keep nobody waiting", func(t *testing.T) {
		const partial = 3
		order := hostsOf(t, run(t, partial, "status", "--json", "--timeout", "5s"))
		if len(order) != sizes.Alive+sizes.Silent+sizes.Refusing+1 { // and the error at the end
			t.Fatalf("%d events", len(order))
		}
		for i, host := range order[len(order)-1-sizes.Silent : len(order)-1] {
			if !strings.HasPrefix(host, "silent") {
				t.Errorf("%s answered after the silent hosts (%d)", host, i)
			}
		}
	})
	t.Run("as they answer", func(t *testing.T) {
		said := run(t, 0, "status", "--env", EnvAlive)
		if got := len(regexp.MustCompile(`(?m)^alive +alive-\d+ +healthy +\S.* +2 of 2 `).FindAllString(said, -1)); got != sizes.Alive {
			t.Errorf("%d lines of hosts, want %d:\n%.1000s", got, sizes.Alive, said)
		}
	})
	t.Run("doctor", func(t *testing.T) {
		said := run(t, 0, "doctor", "--json", "--env", EnvAlive)
		if got := strings.Count(said, `"name":"ssh login"`); got != sizes.Alive {
			t.Errorf("%d hosts were examined, want %d", got, sizes.Alive)
		}
	})
	t.Run("a roll stops at its budget", func(t *testing.T) {
		const hostFailed = 8
		said := run(t, hostFailed, "restart", "--yes", "--json", "--env", EnvAlive)
		if strings.Contains(said, `"host":"alive-0002","state":"busy"`) || !strings.Contains(said, "left 179 hosts as they were: alive-0002") {
			t.Errorf("the roll went on:\n%.1000s", said[max(0, len(said)-1000):])
		}
	})
	t.Run("a roll within its budget", func(t *testing.T) {
		const partial = 3
		said := run(t, partial, "restart", "--yes", "--json", "--env", EnvAlive, "--max-fail", "2", "--wave", "179")
		if got, want := strings.Count(said, `"verdict":"new code proved"`), 2*(sizes.Alive-1); got != want {
			t.Errorf("%d units proved, want %d", got, want)
		}
	})
}

// hostsOf is the host of each event, in order.
func hostsOf(t *testing.T, said string) []string {
	t.Helper()
	var hosts []string
	for line := range strings.Lines(said) {
		var e struct {
			Host string `json:"host"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, e.Host)
	}
	return hosts
}
