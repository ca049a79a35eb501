package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/wire"
)

// Real is how a campaign plays on real hosts: systemd, sshd, polkit, PHP. It needs root on Debian.
type Real struct {
	Suite lab.Suite
	// Database is what the lab that the campaign makes keeps the application's data in.
	Database lab.Database
	// Agents are absolute paths of rp-agents that an upgrade brings in turn: the one that is installed, and another.
	Agents []string
	// Lab is a lab that is up, with the agent installed; when nil the campaign makes its own, whose
	// disk can fail.
	Lab *lab.Lab
	// Load is taken while a lab is made; nil makes it at once.
	Load func() (release func())
}

// real is a world with a real host.
type real struct {
	*lab.Lab
	host *lab.Host
	own  bool
	disk *disk // nil where it cannot fail
	wire *wire.Proxy
}

func (r *Real) slot() lab.Slot {
	if r.Suite == lab.Trixie {
		return lab.SlotChaosTrixie
	}
	return lab.SlotChaos
}

func (r *Real) agent(seed uint64) string { return r.Agents[seed%uint64(len(r.Agents))] }

// openReal makes a stage of a real host: the lab's, or one that is made for it.
func openReal(ctx context.Context, options Options) (*stage, error) {
	if l := options.Real.Lab; l != nil {
		w := &real{Lab: l, host: l.Host(lab.Preprod)}
		return &stage{options: options, world: w}, w.lay()
	}
	if options.Real.Load != nil {
		defer options.Real.Load()()
	}
	o := lab.Options{Slot: options.Real.slot(), Suite: options.Real.Suite, Roles: []lab.Role{lab.Preprod},
		Database: options.Real.Database, Log: options.Log}
	l, err := lab.Up(ctx, o)
	if err != nil {
		return nil, err
	}
	w := &real{Lab: l, host: l.Host(lab.Preprod), own: true}
	if err := errors.Join(w.furnish(ctx, options.Rpctl), w.lay()); err != nil {
		w.Close()
		return nil, err
	}
	return &stage{options: options, world: w}, nil
}

// furnish gives the host a disk that can fail, and the agent.
func (w *real) furnish(ctx context.Context, rpctl string) (err error) {
	if err := w.host.PowerCut(ctx); err != nil {
		return err
	}
	if w.disk, err = newDisk(ctx, filepath.Join(w.Dir(), "disk"), w.host.Root()); err != nil {
		return err
	}
	if err := w.host.Boot(ctx); err != nil {
		return err
	}
	for _, verb := range []string{"install", "pin"} {
		agent := exec.CommandContext(ctx, rpctl, "agent", verb, "--env", environment, "--login", "admin", "--yes", "--unreviewed", "a lab")
		agent.Dir = w.WorkTree()
		agent.Env = append(os.Environ(), "RPCTL_SSH_CONFIG="+w.Lab.SSHConfig(), "XDG_STATE_HOME="+filepath.Join(filepath.Dir(w.Lab.SSHConfig()), "state"), "RPCTL_HOSTS="+w.HostsTOML())
		if out, err := agent.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot %s the agent: %w: %s", verb, err, out)
		}
	}
	return nil
}

// lay puts a network that can fail between the developer and the host.
func (w *real) lay() (err error) {
	known, err := os.ReadFile(w.path("known_hosts"))
	if err != nil {
		return err
	}
	port, key := "22", ""
	for line := range strings.Lines(string(known)) {
		at, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if address, other, there := strings.Cut(strings.Trim(at, "["), "]:"); address == w.host.Address {
			if key = rest; there { // as sshd(8) writes another port
				port = other
			}
		}
	}
	if w.wire, err = wire.Listen(net.JoinHostPort(w.host.Address, port)); err != nil {
		return err
	}
	rest, err := os.ReadFile(w.Lab.SSHConfig())
	if err != nil {
		return err
	}
	// The first value that is found counts, see ssh_config(5).
	config := fmt.Sprintf("Host %[1]s\n    HostName 127.0.0.1\n    Port %[2]d\n    HostKeyAlias %[1]s\n    UserKnownHostsFile %[3]s\n%[4]s",
		alias, w.wire.Addr().Port, w.path("known_wired"), rest)
	return errors.Join(
		os.WriteFile(w.path("known_wired"), []byte(alias+" "+key+"\n"), 0o644),
		os.WriteFile(w.SSHConfig(), []byte(config), 0o644))
}

func (w *real) path(name string) string { return filepath.Join(filepath.Dir(w.Lab.SSHConfig()), name) }

func (w *real) SSHConfig() string { return w.path("wired") }

func (w *real) Wire() *wire.Proxy { return w.wire }

// Hold starts ssh's ControlMaster: a handshake costs more than all that most commands do. Without one
// all goes on, only slower.
func (w *real) Hold(ctx context.Context) (end func()) {
	ssh := []string{"ssh", "-F", w.SSHConfig(), "-o", "BatchMode=yes"}
	start := append(slices.Clone(ssh), "-o", "ControlMaster=yes", "-N", "-f", alias)
	_ = exec.CommandContext(ctx, start[0], start[1:]...).Run()
	return func() {
		stop := append(slices.Clone(ssh), "-O", "exit", alias)
		_ = exec.CommandContext(context.WithoutCancel(ctx), stop[0], stop[1:]...).Run()
	}
}

func (w *real) Dir() string { return w.Lab.Dir }

func (w *real) inside(names ...string) string {
	return filepath.Join(append([]string{w.host.Root()}, names...)...)
}

func (w *real) State(names ...string) string {
	return filepath.Join(append([]string{w.inside("var/lib/rp-agent")}, names...)...)
}

func (w *real) Outputs() string { return w.inside("var/lib/rp-agent-console/output") }

func (w *real) Application() string { return w.inside(lab.AppPath) }

func (w *real) Console(ctx context.Context, args ...string) ([]byte, error) {
	out, err := w.host.RunAs(ctx, "app", append([]string{lab.AppPath + "/current/bin/console"}, args...)...)
	return []byte(out), err
}

func (w *real) Ask(ctx context.Context, command string) (string, error) {
	return w.SSH(ctx, alias, strings.Fields(command)...)
}

func (w *real) ReceiptKey(ctx context.Context) (string, error) {
	out, err := w.host.Run(ctx, "ssh-keygen", "-y", "-f", "/var/lib/rp-agent/receipt_key")
	return strings.TrimSpace(out), err
}

// leaving is how long what has done its work may take to be gone: a caller who vanished without a
// word while nothing was followed is given up by sshd (systemd/files/sshd.conf). OpenSSH 9.2 probes
// every 30 s where it is told 15, and takes more than two minutes.
const leaving = 3 * time.Minute

func (w *real) Left(ctx context.Context) []string {
	deadline := time.Now().Add(leaving)
	for {
		left := w.left(ctx)
		if len(left) == 0 || time.Now().After(deadline) || ctx.Err() != nil {
			return left
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// left is what is there now: the agent's processes and units, failed units, temporary files.
func (w *real) left(ctx context.Context) []string {
	all, err := w.host.Processes()
	if err != nil {
		return []string{err.Error()}
	}
	var left []string
	for _, p := range all {
		if strings.HasPrefix(p.Unit, "rp-agent") || strings.HasSuffix(p.Args[0], "rp-agent") {
			left = append(left, fmt.Sprintf("process %d %s of %s", p.PID, strings.Join(p.Args, " "), p.Unit))
		}
	}
	for what, argv := range map[string][]string{
		"failed unit": {"--failed"}, "unit": {"--all", "rp-agent@*", "rp-agent-run@*", "rp-agent-console@*", "rp-agent-dryrun@*"},
	} {
		out, err := w.host.Run(ctx, append([]string{"systemctl", "list-units", "--plain", "--no-legend"}, argv...)...)
		if err != nil {
			left = append(left, err.Error())
		}
		for line := range strings.Lines(out) {
			left = append(left, what+" "+strings.TrimSpace(line))
		}
	}
	return append(left, temporary(w.inside("var/lib/rp-agent-console"))...)
}

func (w *real) Close() {
	if w.wire != nil {
		w.wire.Close()
	}
	if !w.own {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := w.host.PowerCut(ctx)
	if w.disk != nil {
		err = errors.Join(err, w.disk.remove(ctx))
	}
	if err = errors.Join(err, w.Down(ctx)); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
	}
}
