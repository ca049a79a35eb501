// Command demo shows rpctl on two hosts that it makes itself, in this process: the commands
// that a developer types, with their real output. It needs Go and git, no root and no network.
// Its exit code is 0 only if every command ended as the story expects.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/re-connect/rpctl/lab/cmd/internal/beside"
	"github.com/re-connect/rpctl/lab/inprocess"
)

func main() {
	inprocess.RunApp()
	keep := flag.Bool("keep", false, "leave the hosts up until Ctrl-C")
	rpctl := flag.String("rpctl", beside.Program("rpctl"), "the rpctl to show")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := run(ctx, *rpctl, *keep)
	switch {
	case ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) && *keep:
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "demo: interrupted; its hosts are gone")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run tells the story and takes everything away that it made.
func run(ctx context.Context, rpctl string, keep bool) error {
	if _, err := os.Stat(rpctl); err != nil {
		return fmt.Errorf("cannot find rpctl: %w (make demo builds it)", err)
	}
	dir, err := os.MkdirTemp("", "rpctl-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	lab, err := inprocess.Start(ctx, inprocess.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer lab.Close()
	stage := &stage{ctx: ctx, lab: lab, rpctl: rpctl, out: os.Stdout}
	if err := stage.tell(slices.Concat(story, migration)); err != nil {
		return err
	}
	stage.next(keep)
	if keep {
		<-ctx.Done()
	}
	return nil
}
