// Command lab brings the lab's hosts up and takes them down: see package lab.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/re-connect/rpctl/lab"
)

const usage = `usage: lab COMMAND
  prepare      install the Debian packages that this machine lacks for a lab (root)
  up           make and boot the hosts; LAB_SUITE=trixie for Debian 13,
               LAB_DATABASE=mariadb for an application on MariaDB (root)
  down         stop and remove them; the cached images stay (root)
  status       which hosts run
  ssh-config   the file for ssh -F
  run HOST COMMAND...   a command as root in a host`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("no command\n%s", usage)
	}
	options := lab.Options{Suite: lab.Suite(os.Getenv("LAB_SUITE")), Database: lab.Database(os.Getenv("LAB_DATABASE")), Keep: true, Log: out}
	switch args[0] {
	case "prepare":
		return lab.Prepare(out)
	case "up":
		l, err := lab.Up(ctx, options)
		if err != nil {
			return err
		}
		tell(out, l)
		return nil
	case "down":
		return lab.Down(ctx, options)
	}
	l, err := lab.Open(options)
	if err != nil {
		return err
	}
	return look(ctx, l, args, out)
}

// look runs the commands that need a lab that is up.
func look(ctx context.Context, l *lab.Lab, args []string, out io.Writer) error {
	switch {
	case args[0] == "status":
		for _, h := range l.Hosts() {
			state, _ := h.Run(ctx, "systemctl", "is-system-running")
			fmt.Fprintf(out, "%-8s %-12s %s", h.Role, h.Address, state)
		}
		return nil
	case args[0] == "ssh-config":
		fmt.Fprintln(out, l.SSHConfig())
		return nil
	case args[0] == "run" && len(args) > 2:
		h := l.Host(lab.Role(args[1]))
		if h == nil {
			return fmt.Errorf("unknown host %q: there are %v", args[1], lab.Roles)
		}
		said, err := h.Run(ctx, args[2:]...)
		fmt.Fprint(out, said)
		return err
	}
	return fmt.Errorf("unknown command %q\n%s", args[0], usage)
}

// tell says what to type next.
func tell(out io.Writer, l *lab.Lab) {
	fmt.Fprintf(out, `
  ssh -F %[1]s rp-preprod      (rp-prod, rp-bastion; -direct, -admin, -forced)
  cd %[2]s && make deploy-preprod
  hosts.toml: %[3]s
  make lab-down when done
`, l.SSHConfig(), l.WorkTree(), l.HostsTOML())
}
