package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/lab/inprocess"
)

// scene is one part of the story: a heading, and what is typed or done under it.
type scene struct {
	heading string
	steps   []step
}

// step is one thing that happens on the stage.
type step func(*stage) error

// stage is where the story is told: the developer's work tree, beside hosts that run.
type stage struct {
	ctx   context.Context
	lab   *inprocess.Lab
	rpctl string
	out   *os.File
}

func (s *stage) tell(scenes []scene) error {
	for _, scene := range scenes {
		fmt.Fprintf(s.out, "\n── %s\n", scene.heading)
		for _, step := range scene.steps {
			if err := step(s); err != nil {
				return err
			}
			if s.ctx.Err() != nil {
				return s.ctx.Err()
			}
		}
	}
	return nil
}

// say explains what comes.
func say(text string) step {
	return func(s *stage) error {
		fmt.Fprintf(s.out, "   %s\n", strings.ReplaceAll(text, "\n", "\n   "))
		return nil
	}
}

// typed runs a command line as a developer would in the work tree, and holds it to its exit code
// and to what it must say. There is no shell: words are split at spaces.
func typed(line string, code int, says ...string) step {
	return func(s *stage) error {
		fmt.Fprintf(s.out, "\n$ %s\n", line)
		said, got, err := s.run(strings.Fields(line))
		if err != nil {
			return fmt.Errorf("`%s`: %w", line, err)
		}
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		if got != code {
			return fmt.Errorf("`%s` ended with exit code %d, the story expects %d", line, got, code)
		}
		for _, words := range says {
			if said != nil && !strings.Contains(said.String(), words) {
				return fmt.Errorf("`%s` did not say %q", line, words)
			}
		}
		if code != 0 {
			fmt.Fprintf(s.out, "(exit code %d)\n", code)
		}
		return nil
	}
}

// run runs words in the work tree. On a terminal the command has the terminal itself, and
// what it said is not known.
func (s *stage) run(words []string) (said *bytes.Buffer, code int, err error) {
	name := words[0]
	if name == "rpctl" {
		name = s.rpctl
	}
	command := exec.CommandContext(s.ctx, name, words[1:]...)
	command.Dir = s.lab.WorkTree()
	command.Env = append(os.Environ(), s.environment()...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	command.Stdout, command.Stderr = s.out, s.out
	if !terminal(s.out) {
		said = &bytes.Buffer{}
		both := io.MultiWriter(s.out, said)
		command.Stdout, command.Stderr = both, both
	}
	err = command.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return said, ended.ExitCode(), nil
	}
	return said, 0, err
}

func terminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// environment is what leads rpctl to the hosts; hosts.toml it finds from the work tree upwards.
func (s *stage) environment() []string {
	return []string{"RPCTL_SSH_CONFIG=" + s.lab.SSHConfig(), "XDG_STATE_HOME=" + filepath.Join(filepath.Dir(s.lab.SSHConfig()), "state"), "RPCTL_HOSTS="}
}

// appended adds a line to a file of the work tree, as an editor would.
func appended(name, line string) step {
	return func(s *stage) error {
		fmt.Fprintf(s.out, "\n$ echo '%s' >> %s\n", line, name)
		file, err := os.OpenFile(filepath.Join(s.lab.WorkTree(), name), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(file, line)
		return errors.Join(err, file.Close())
	}
}

// merged has a colleague merge a change to a branch of the remote.
func merged(branch, file, text string) step {
	return func(s *stage) error { return s.lab.Merge(s.ctx, branch, file, text) }
}

// copied makes a copy of a file beside the work tree, with some text replaced.
func copied(from, to, old, new string) step {
	return func(s *stage) error {
		data, err := os.ReadFile(filepath.Join(s.lab.Dir(), from))
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(data), old, new)
		if text == string(data) {
			return fmt.Errorf("there is no %q in %s", old, from)
		}
		return os.WriteFile(filepath.Join(s.lab.Dir(), to), []byte(text), 0o644)
	}
}

// where does something only if a program is there.
func where(program string, do ...step) step {
	return func(s *stage) error {
		if _, err := exec.LookPath(program); err != nil {
			fmt.Fprintf(s.out, "   (there is no %s on this machine: left out)\n", program)
			return nil
		}
		for _, step := range do {
			if err := step(s); err != nil {
				return err
			}
		}
		return nil
	}
}
