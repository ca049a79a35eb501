package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// exits runs a command and holds it to an exit code: exits CODE [>FILE] COMMAND… It passes
// on the signals that it gets. With >FILE, what the command prints stands there while it runs.
func exits(args []string) int {
	want, err := strconv.Atoi(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, "exits:", err)
		return 2
	}
	words := args[1:]
	var out io.Writer = os.Stdout
	if name, ok := strings.CutPrefix(words[0], ">"); ok {
		file, err := os.Create(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "exits:", err)
			return 2
		}
		out, words = io.MultiWriter(file, os.Stdout), words[1:]
	}
	command := exec.Command(words[0], words[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, out, os.Stderr
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if err := command.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "exits:", err)
		return 2
	}
	go func() {
		for s := range signals {
			_ = command.Process.Signal(s) // it may have ended just now
		}
	}()
	var ended *exec.ExitError
	if err := command.Wait(); err != nil && !errors.As(err, &ended) {
		fmt.Fprintln(os.Stderr, "exits:", err)
		return 2
	}
	if got := command.ProcessState.ExitCode(); got != want {
		fmt.Fprintf(os.Stderr, "exits: exit code %d, want %d\n", got, want)
		return 1
	}
	return 0
}

// pause is a command that takes long: it writes its process id to $HOLD/NAME, and waits
// until $HOLD/NAME.go is there. A signal ends it, unless its name is stubborn.
func pause(name string) int {
	began := filepath.Join(os.Getenv("HOLD"), name)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if err := writeWhole(began, strconv.Itoa(os.Getpid())); err != nil {
		fmt.Fprintln(os.Stderr, "pause:", err)
		return 1
	}
	fmt.Println(name, "has begun")
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-signals:
			if name == "stubborn" {
				continue
			}
			fmt.Println(name, "was stopped")
			return 1
		case <-poll.C:
			if _, err := os.Stat(began + ".go"); err == nil {
				fmt.Println(name, "goes on")
				return 0
			}
		}
	}
}

// writeWhole writes a file that nobody sees before it is whole.
func writeWhole(name, text string) error {
	return errors.Join(os.WriteFile(name+".part", []byte(text), 0o644), os.Rename(name+".part", name))
}

// race runs a command twice at the same moment, as alice and as bob, and prints both exit codes.
func race(words []string) int {
	var both [2]*exec.Cmd
	for i, user := range []string{"alice", "bob"} {
		both[i] = exec.Command(words[0], words[1:]...)
		both[i].Env = append(os.Environ(), "USER="+user)
		both[i].Stdout, both[i].Stderr = os.Stdout, os.Stderr
	}
	for _, command := range both {
		if err := command.Start(); err != nil {
			fmt.Fprintln(os.Stderr, "race:", err)
			return 2
		}
	}
	codes := []int{}
	for _, command := range both {
		_ = command.Wait() // its exit code is what counts
		codes = append(codes, command.ProcessState.ExitCode())
	}
	slices.Sort(codes)
	fmt.Printf("\nexit codes %d and %d\n", codes[0], codes[1])
	return 0
}
