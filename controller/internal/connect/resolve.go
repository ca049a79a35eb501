package connect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/re-connect/rpctl/internal/printable"
)

// Resolved is what the configuration makes of an alias. Paths are expanded.
type Resolved struct {
	Alias    string
	HostName string
	Port     int
	User     string
	// IdentityFiles are private keys (or public ones, which choose a key of the agent), in order.
	IdentityFiles  []string
	IdentitiesOnly bool
	AgentSocket    string   // empty: no agent is used
	ProxyJump      []string // hops as they are typed, in the order in which they are passed
	KnownHosts     []string // files of the user, then of the machine; some may not exist
	HostKeyAlias   string
	ControlPath    string // empty: no ControlMaster is looked for
	// ConnectTimeout is 0 where the configuration has none.
	ConnectTimeout time.Duration
	Source         string // what read the configuration: sourcePlain or sourceSSH

	jumps []hop
	typed hop
	left  bool // the connection is left to the ssh program
}

// What read a configuration.
const (
	sourcePlain = "ssh_config"
	sourceSSH   = "ssh -G"
)

// resolve reads the configuration for one hop; what the hop itself names wins.
func (d *Dialer) resolve(ctx context.Context, target hop) (Resolved, error) {
	found, source, left, err := d.settings(ctx, target)
	if err != nil {
		return Resolved{}, err
	}
	resolved, err := found.build(target)
	if err != nil {
		return Resolved{}, &failure{message: "cannot use the ssh configuration: " + err.Error(), next: d.ssh(target, "-G")}
	}
	resolved.Source, resolved.left = source, left
	return resolved, nil
}

// settings reads the configuration: this package does where it is plain, else the ssh program. source says which did,
// and left whether the connection is left to ssh, too: the configuration may hold keywords that are not honoured here.
func (d *Dialer) settings(ctx context.Context, target hop) (found settings, source string, left bool, err error) {
	left = d.plain == nil
	if d.plain != nil {
		var ask bool
		if found, ask, err = d.plain.of(target, d.options.SSHConfig); err == nil && !ask {
			return found, sourcePlain, false, nil
		}
		left = err != nil
	}
	if d.program == "" {
		return nil, "", false, &failure{message: "cannot use the ssh configuration without the ssh program: " + printable.Line(err.Error()), next: "ssh -V", err: err}
	}
	found, err = d.askSSH(ctx, target)
	return found, sourceSSH, left, err
}

// askSSH lets ssh read its own configuration: Match, Include, tokens and all.
func (d *Dialer) askSSH(ctx context.Context, target hop) (settings, error) {
	const within = 20 * time.Second // a `Match exec` may take its time
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	command := exec.CommandContext(ctx, d.program, d.sshArgs(target, "-T", "-G")...)
	command.WaitDelay = time.Second
	var stdout, stderr bounded
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, &failure{
			message: "cannot read the ssh configuration: " + firstLine(stderr.String(), err), next: d.ssh(target, "-G"), err: err,
		}
	}
	return parseSettings(stdout.Bytes()), nil
}

// sshArgs is a command line of the ssh program for a hop; the last word is the host.
func (d *Dialer) sshArgs(target hop, options ...string) []string {
	args := options
	if d.options.SSHConfig != "" {
		args = append(args, "-F", d.options.SSHConfig)
	}
	if target.user != "" {
		args = append(args, "-l", target.user)
	}
	if target.port != 0 {
		args = append(args, "-p", strconv.Itoa(target.port))
	}
	return append(args, "--", target.host)
}

// bounded keeps the first bytes of a command's output and drops the rest.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(data []byte) (int, error) {
	const most = 1 << 20
	room := max(most-b.Len(), 0)
	b.Buffer.Write(data[:min(len(data), room)])
	return len(data), nil
}

// firstLine is what a program said first, or err where it said nothing.
func firstLine(text string, err error) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace([]byte(text)), []byte("\n"))
	if len(line) == 0 {
		return err.Error()
	}
	return printable.Excerpt(string(bytes.TrimSpace(line)), 200)
}

// localUser is who runs this program, as ssh's default for User.
func localUser() (string, error) {
	for _, name := range []string{"LOGNAME", "USER"} {
		if user := os.Getenv(name); user != "" {
			return user, nil
		}
	}
	return currentUser()
}

var errNoUser = errors.New("no user name: set User in the ssh configuration")

func currentUser() (string, error) {
	known, err := lookupCurrent()
	if err != nil {
		return "", fmt.Errorf("%w (%w)", errNoUser, err)
	}
	return known, nil
}
