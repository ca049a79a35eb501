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
	ProxyCommand   string
	KnownHosts     []string // files of the user, then of the machine; some may not exist
	HostKeyAlias   string
	ControlPath    string // empty: no ControlMaster is looked for
	// ConnectTimeout is 0 where the configuration has none.
	ConnectTimeout time.Duration
	Source         string // who read the configuration: "ssh -G", or "ssh_config" for this package

	jumps []hop
	typed hop
}

// resolve reads the configuration for one hop; what the hop itself names wins.
func (d *Dialer) resolve(ctx context.Context, target hop) (Resolved, error) {
	found, source, err := d.settings(ctx, target)
	if err != nil {
		return Resolved{}, err
	}
	resolved, err := found.build(target)
	if err != nil {
		return Resolved{}, &failure{message: "cannot use the ssh configuration: " + err.Error(), next: d.ssh(target, "-G")}
	}
	resolved.Source = source
	return resolved, nil
}

// settings has the configuration read by who can: this package where it is plain, else ssh
// where there is one. source says who did.
func (d *Dialer) settings(ctx context.Context, target hop) (found settings, source string, err error) {
	if d.plain != nil {
		if found, ok := d.plain.of(target, d.options.SSHConfig); ok {
			return found, "ssh_config", nil
		}
	}
	program, err := exec.LookPath(d.options.Program)
	if d.options.Program == "none" || err != nil {
		found, err = readConfigFiles(target, d.options.SSHConfig)
		return found, "ssh_config", err
	}
	found, err = d.askSSH(ctx, program, target)
	return found, "ssh -G", err
}

// askSSH lets ssh read its own configuration: Match, Include, tokens and all.
func (d *Dialer) askSSH(ctx context.Context, program string, target hop) (settings, error) {
	const within = 20 * time.Second // a `Match exec` may take its time
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	args := []string{"-T", "-G"}
	if d.options.SSHConfig != "" {
		args = append(args, "-F", d.options.SSHConfig)
	}
	if target.user != "" {
		args = append(args, "-l", target.user)
	}
	if target.port != 0 {
		args = append(args, "-p", strconv.Itoa(target.port))
	}
	command := exec.CommandContext(ctx, program, append(args, "--", target.host)...)
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
