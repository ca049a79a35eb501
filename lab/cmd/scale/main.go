// Command scale measures rpctl against many hosts that it makes itself, beside the programs
// that one would use otherwise, and prints a table (docs/scale.md). It needs Go and git; ssh,
// parallel-ssh and ansible are compared with where they are installed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/re-connect/rpctl/lab/cmd/internal/beside"
	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/lab/scale"
)

func main() {
	inprocess.RunApp()
	alive := flag.Int("hosts", 1000, "hosts in good health")
	dead := flag.Int("dead", 50, "hosts that stay silent, and as many that refuse connections")
	compare := flag.Bool("compare", true, "measure ssh, parallel-ssh and ansible too")
	rpctl := flag.String("rpctl", beside.Program("rpctl"), "the rpctl to measure")
	serve := flag.String("serve", "", "be the hosts, in this folder, until stdin ends (scale starts itself so)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sizes := scale.Sizes{Alive: *alive, Silent: *dead, Refusing: *dead}
	var err error
	if *serve != "" {
		err = scale.Serve(ctx, *serve, sizes, os.Stdin, os.Stdout)
	} else {
		err = measure(ctx, *rpctl, sizes, *compare)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// measure starts the hosts, measures, and takes everything away.
func measure(ctx context.Context, rpctl string, sizes scale.Sizes, compare bool) error {
	if _, err := os.Stat(rpctl); err != nil {
		return fmt.Errorf("cannot find rpctl: %w (make bench builds it)", err)
	}
	dir, err := os.MkdirTemp("", "rpctl-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	hosts := exec.CommandContext(ctx, os.Args[0], "-serve", dir,
		"-hosts", strconv.Itoa(sizes.Alive), "-dead", strconv.Itoa(sizes.Silent))
	fleet, err := scale.Start(ctx, dir, hosts)
	if err != nil {
		return err
	}
	defer fleet.Close()
	return scale.Campaign(ctx, fleet, rpctl, sizes, compare, os.Stdout)
}
