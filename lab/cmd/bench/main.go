// Command bench measures rpctl against what a developer would type without it, on the lab's real
// hosts: commands in turn, medians, and ratios of one run. It judges nothing; docs/bench.md has
// the figures that are aimed at. It needs root, as the lab does, and the binaries of `make build`.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/re-connect/rpctl/lab"
)

func main() {
	runs := flag.Int("runs", 20, "how often each command is run")
	bin := flag.String("bin", "bin", "folder of rpctl and rp-agent")
	here := flag.Bool(insideFlag, false, "measure the agent of this very host (bench starts itself so)")
	flag.Parse()
	if *here {
		if err := inside(*runs); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *bin, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is a lab with the agent installed, and where the figures go.
type bench struct {
	ctx  context.Context
	lab  *lab.Lab
	bin  string
	runs int
	out  io.Writer
}

func run(ctx context.Context, out io.Writer, bin string, runs int) error {
	if err := lab.Possible(); err != nil {
		return fmt.Errorf("no lab on this machine: %w", err)
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	up, err := lab.Up(ctx, lab.Options{Slot: lab.SlotBench, Wait: true})
	if err != nil {
		return err
	}
	defer func() { _ = up.Down(context.WithoutCancel(ctx)) }()
	b := &bench{ctx: ctx, lab: up, bin: bin, runs: runs, out: out}
	if _, err := b.output(b.rpctl("agent", "install", "--env", "preprod", "--login", "admin", "--yes", "--unreviewed", "a lab")); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d runs of each, in turn; medians\n\n", runs)
	for _, measure := range []func() error{b.small, b.agent, b.status, b.deploy, b.step, b.attach, b.latency} {
		if err := measure(); err != nil {
			return err
		}
	}
	return nil
}
