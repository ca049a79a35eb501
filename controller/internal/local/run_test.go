package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// sh is the argv of a script; the shell is the test's, not Run's.
func sh(script string) []string { return []string{"sh", "-c", script} }

// watch is a writer that tells when it has seen a word.
type watch struct {
	mu   sync.Mutex
	got  bytes.Buffer
	word string
	seen chan struct{}
}

func watchFor(word string) *watch { return &watch{word: word, seen: make(chan struct{})} }

func (w *watch) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := strings.Contains(w.got.String(), w.word)
	w.got.Write(p)
	if !before && strings.Contains(w.got.String(), w.word) {
		close(w.seen)
	}
	return len(p), nil
}

func failure(t *testing.T, err error, code exit.Code) *exit.Error {
	t.Helper()
	var got *exit.Error
	if !errors.As(err, &got) || got.Code != code {
		t.Fatalf("got %v, want an error of code %v", err, code)
	}
	return got
}

func TestRunPassesOutputByteForByte(t *testing.T) {
	var every []byte
	for i := range 256 {
		every = append(every, byte(i))
	}
	every = bytes.Repeat(every, 1000)
	file := filepath.Join(t.TempDir(), "every")
	if err := os.WriteFile(file, every, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if err := Run(t.Context(), []string{"cat", file}, Options{Stdout: &out}); err != nil || !bytes.Equal(out.Bytes(), every) {
		t.Errorf("stdout: %d bytes of %d, %v", out.Len(), len(every), err)
	}
	out.Reset()
	err := Run(t.Context(), sh(`echo one; echo two >&2`), Options{Stdout: &out, Stderr: &errs})
	if err != nil || out.String() != "one\n" || errs.String() != "two\n" {
		t.Errorf("got %q, %q, %v", out.String(), errs.String(), err)
	}
}

func TestRunShowsOutputAsItComes(t *testing.T) {
	fifo, out := filepath.Join(t.TempDir(), "go"), watchFor("first\n")
	mkfifo(t, fifo)
	result := make(chan error, 1)
	go func() {
		result <- Run(t.Context(), []string{"sh", "-c", `echo first; read word <"$0"; echo "$word"`, fifo}, Options{Stdout: out})
	}()
	<-out.seen // while the command waits for us
	if err := os.WriteFile(fifo, []byte("second\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil || out.got.String() != "first\nsecond\n" {
		t.Errorf("got %q, %v", out.got.String(), err)
	}
}

func mkfifo(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRunIsNoShell(t *testing.T) {
	var out bytes.Buffer
	if err := Run(t.Context(), []string{"printf", "%s|", "$HOME; ls", "*", "a b"}, Options{Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "$HOME; ls|*|a b|"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRunDirEnvStdin(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	script := sh(`pwd; echo "$A"; cat`)
	if err := Run(t.Context(), script, Options{Dir: dir, Env: []string{"A=b"}, Stdout: &out}); err != nil || out.String() != dir+"\nb\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	out.Reset()
	if err := Run(t.Context(), script, Options{Stdin: strings.NewReader("typed"), Stdout: &out}); err != nil || !strings.HasSuffix(out.String(), "typed") {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestRunFailures(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("echo"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		argv       []string
		dir        string
		want, next string
	}{
		"missing":        {[]string{"no-such-program-here", "x"}, "", "cannot run no-such-program-here x: no-such-program-here is not on PATH: install it", ""},
		"no such path":   {[]string{"./none"}, dir, "cannot run ./none: there is no ./none", "ls -l"},
		"not executable": {[]string{plain}, "", "plain may not be executed", "chmod +x"},
		"no folder":      {[]string{"true"}, filepath.Join(dir, "none"), "cannot run true: there is no folder", ""},
		"exit status":    {sh("exit 3"), "", "sh -c exit 3 failed: exit status 3", ""},
		"signal":         {sh("kill -9 $$"), "", "failed: ended by signal 9 (killed)", ""},
		"control":        {[]string{"no-such\x1b[2J"}, "", `cannot run no-such\x1b[2J:`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := failure(t, Run(t.Context(), test.argv, Options{Dir: test.dir}), exit.LocalFailed)
			if !strings.Contains(got.Message, test.want) || !strings.Contains(got.Next, test.next) {
				t.Errorf("got %q, next %q", got.Message, got.Next)
			}
		})
	}
	failure(t, Run(t.Context(), nil, Options{}), exit.BadInput)
	failure(t, Run(t.Context(), sh("kill -INT $$"), Options{}), exit.Interrupted)
}

func TestRunWithout(t *testing.T) {
	t.Setenv("RPCTL_TEST_VARIABLE", "set")
	var out bytes.Buffer
	err := Run(t.Context(), sh(`echo "${RPCTL_TEST_VARIABLE-unset}"`), Options{Without: []string{"RPCTL_TEST_VARIABLE"}, Stdout: &out})
	if err != nil || out.String() != "unset\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

// cancelWhenReady runs a script, ends its context when it has printed "ready", and gives the error.
func cancelWhenReady(t *testing.T, o Options, argv ...string) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := watchFor("ready")
	o.Stdout = out
	go func() {
		select {
		case <-out.seen:
		case <-t.Context().Done():
		}
		cancel()
	}()
	return Run(ctx, argv, o)
}

func never() bool  { return false }
func always() bool { return true }

func TestRunCancelled(t *testing.T) {
	const long, short = time.Minute, 50 * time.Millisecond
	hurry := NewHurry()
	close(hurry.now)
	for name, test := range map[string]struct {
		script string
		o      Options
		want   string
	}{
		"ends when asked":           {`trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done`, Options{Grace: long, atTerminal: never}, "was interrupted: it was asked to end (exit status 3)"},
		"does not end":              {`trap '' TERM; echo ready; while :; do sleep 0.01; done`, Options{Grace: short, atTerminal: never}, "was interrupted: it did not end and was killed (ended by signal 9 (killed))"},
		"told by the terminal":      {`echo ready; exit 130`, Options{Grace: long, atTerminal: always}, ""},
		"does not heed terminal":    {`echo ready; exec sleep 60`, Options{Grace: long, toldGrace: short, atTerminal: always}, "was interrupted: it was asked to end (ended by signal 15 (terminated))"},
		"second Ctrl-C":             {`trap '' TERM; echo ready; while :; do sleep 0.01; done`, Options{Grace: long, Hurry: hurry, atTerminal: always}, "it did not end and was killed"},
		"finishes in spite of that": {`trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done`, Options{Grace: long, atTerminal: never}, "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			err := cancelWhenReady(t, test.o, sh(test.script)...)
			switch {
			case test.want == "ok":
				if err != nil {
					t.Errorf("got %v", err)
				}
			case test.want == "": // it ended by itself, before or after the context did
				if got := failure(t, err, exit.Interrupted); !strings.Contains(got.Message, "exit status 130") {
					t.Errorf("got %q", got.Message)
				}
			default:
				got := failure(t, err, exit.Interrupted)
				if !strings.Contains(got.Message, test.want) || !errors.Is(err, context.Canceled) {
					t.Errorf("got %q", got.Message)
				}
			}
		})
	}
}

func TestRunCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(t.TempDir(), "made")
	failure(t, Run(ctx, []string{"touch", file}, Options{}), exit.Interrupted)
	if _, err := os.Stat(file); err == nil {
		t.Error("it ran all the same")
	}
}

// A grandchild whose parent is gone already, and which heeds no SIGTERM, is not left behind. It
// holds a FIFO open for writing: when the reader sees the end, it is dead.
func TestRunLeavesNothingBehind(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what lost its parent is found on Linux only")
	}
	fifo := filepath.Join(t.TempDir(), "alive")
	mkfifo(t, fifo)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		reader, err := os.Open(fifo)
		if err == nil {
			_, _ = io.Copy(io.Discard, reader)
			_ = reader.Close()
		}
	}()
	script := `trap '' TERM; (exec 3>"$0"; echo ready; while :; do sleep 0.01; done) & trap 'exit 1' TERM; while :; do sleep 0.01; done`
	err := cancelWhenReady(t, Options{Grace: 100 * time.Millisecond, atTerminal: never}, "sh", "-c", script, fifo)
	failure(t, err, exit.Interrupted)
	select {
	case <-ended:
	case <-time.After(5 * time.Minute):
		t.Fatal("the grandchild lives")
	}
}

// TestKillWaitsForTheEnd: when Kill's channel is closed, what ran with the Hurry is gone, and nothing begins any more.
func TestKillWaitsForTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hurry := NewHurry()
	out := watchFor("ready")
	result := make(chan error, 1)
	go func() {
		result <- Run(ctx, sh(`trap '' TERM INT; echo ready; while :; do sleep 0.01; done`), Options{Stdout: out, Hurry: hurry, atTerminal: never})
	}()
	<-out.seen
	cancel()
	<-hurry.Kill()
	select {
	case err := <-result:
		if got := failure(t, err, exit.Interrupted); !strings.Contains(got.Message, "it did not end and was killed") {
			t.Errorf("got %q", got.Message)
		}
	case <-time.After(time.Minute):
		t.Error("the command runs")
	}
}

// What stays in the background with the output open (an ssh master) does not hold Run.
func TestRunDoesNotWaitForWhatStays(t *testing.T) {
	hold, shown := filepath.Join(t.TempDir(), "hold"), filepath.Join(t.TempDir(), "shown")
	mkfifo(t, hold)
	mkfifo(t, shown)
	out := watchFor("ready")
	go func() { // the command ends when its output has come, however slow the machine is
		<-out.seen
		_ = os.WriteFile(shown, []byte("go\n"), 0o600)
	}()
	err := Run(t.Context(), []string{"sh", "-c", `(read word <"$0") & echo ready; read word <"$1"`, hold, shown},
		Options{Stdout: out, outputDelay: 50 * time.Millisecond})
	if err != nil {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(hold, []byte("end\n"), 0o600); err != nil {
		t.Error(err)
	}
}
