package main

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain makes this program the command where it is asked to be, with the privileges of "root" or of "nobody".
func TestMain(m *testing.M) {
	switch os.Getenv("SLOWLY_AS") {
	case "nobody":
		if err := syscall.Setuid(65534); err != nil && os.Getuid() == 0 {
			panic(err)
		}
		main()
	case "root":
		main()
	}
	os.Exit(m.Run())
}

// slowly is this command as a process of its own.
func slowly(t *testing.T, as, times, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "sh", "-c", script)
	cmd.Env = append(os.Environ(), "SLOWLY_AS="+as, "SLOWLY="+times)
	return cmd
}

func TestOutputAndStatusAreTheProgram(t *testing.T) {
	for _, as := range []string{"root", "nobody"} {
		for _, c := range []struct {
			times, script string
			status        int
			output        string
		}{
			{"8", "cat; echo err >&2; exit 7", 7, "in\nerr\n"},
			{"8", "kill -9 $$", 128 + 9, ""},
			{"8", "(sh -c 'read late </dev/fd/3; echo late' &) 3<&0; kill -9 $$", 128 + 9, ""}, // it leaves a process
			{"0", "true", 1, "slowly: SLOWLY=\"0\": want 1 to 1000\n"},
		} {
			cmd := slowly(t, as, c.times, c.script)
			cmd.Stdin = strings.NewReader("in\n")
			output, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != c.status || !strings.HasPrefix(string(output), c.output) {
				t.Errorf("%s: %s: status %d, output %q", as, c.script, cmd.ProcessState.ExitCode(), output)
			}
		}
	}
}

// TestStoppedByATest: a process that a test has stopped is not continued by the pauses.
func TestStoppedByATest(t *testing.T) {
	script := `sleep 100 & kill -STOP $!; for i in 1 2 3 4 5 6 7 8 9; do sleep 0.01; done; grep ^State /proc/$!/status; kill -KILL $!`
	output, err := slowly(t, "nobody", "8", script).CombinedOutput()
	if err != nil || string(output) != "State:\tT (stopped)\n" {
		t.Errorf("%q, %v", output, err)
	}
}

// TestItIsSlow compares processor time with the time that passed, of a program and of its grandchildren.
func TestItIsSlow(t *testing.T) {
	script := `busy() { i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; }; busy & ( (busy); true) & wait`
	for _, as := range []string{"root", "nobody"} {
		cmd := slowly(t, as, "20", script)
		began := time.Now()
		if output, err := cmd.CombinedOutput(); err != nil || len(output) > 0 {
			t.Fatalf("%s: %v %s", as, err, output)
		}
		passed := time.Since(began)
		worked := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() // with all that was reaped
		t.Logf("%s: %s of work in %s", as, worked, passed)
		if worked*5 > passed*time.Duration(runtime.NumCPU()) {
			t.Errorf("%s: %s of work in %s", as, worked, passed)
		}
	}
}
