package flood

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
)

const alias = "rp-preprod"

// config is what the host says of itself, and what hosts.toml says: there is no difference to be refused.
var config = proto.HostConfig{
	Environment: "preprod", Application: proto.Application{Path: "/home/app/www", User: "app"},
	Workers: []proto.UnitPattern{"worker@*.service"}, Look: []string{"rpctl"}, Act: []string{"rpctl"},
	Console: &proto.Console{PHP: "/usr/bin/php", Script: "bin/console", SimulationHours: proto.DefaultSimulationHours},
}

const hostsTOML = `version = 1
[environments.preprod]
hosts = ["rp-preprod"]
branch = "dev"
deploy = ["true"]
rollback = ["true"]
workers = ["worker@*.service"]
application = { path = "/home/app/www", user = "app" }
[environments.preprod.console]
php = "/usr/bin/php"
script = "bin/console"
approvers = "approvers"
`

// answer is what the host does once it has greeted and was asked for op.
type answer func(id int64, op proto.Op, stdout, stderr io.Writer)

// greeting is the host's, as rpctl wants it.
func greeting() []byte {
	var capabilities []proto.Op
	for op := range asked {
		capabilities = append(capabilities, op)
	}
	line, err := json.Marshal(proto.Hello{Event: proto.EventHello, Marker: proto.Marker, Agent: "1", Protocol: proto.Speaks(),
		Capabilities: capabilities, Host: "preprod1", Environment: "preprod", Config: &config, ReceiptKey: receiptKey})
	if err != nil {
		panic(err)
	}
	return append(line, '\n')
}

// trustedHosts pins a key, without which no plan is brought to a host.
const (
	receiptKey   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
	trustedHosts = `preprod1 namespaces="simulation@rpctl,applied@rpctl" ` + receiptKey + " preprod\n"
)

// greets is a host that greets and then answers each request.
func greets(a answer) sshhost.Handler {
	return func(_ context.Context, _ sshhost.Request, stdin io.Reader, stdout, stderr io.Writer) int {
		if _, err := stdout.Write(greeting()); err != nil {
			return 1
		}
		lines := proto.NewReader(stdin)
		for {
			text, err := lines.ReadLine()
			if err != nil {
				return 0
			}
			var line proto.Line
			if json.Unmarshal(text, &line) == nil && line.ID > 0 {
				a(line.ID, line.Op, stdout, stderr)
			}
		}
	}
}

// rpctl is how one rpctl ended.
type rpctl struct {
	exit   int
	output []byte // the first bytes of stdout and stderr
	length int64  // of all that it printed
	memory int64  // the most that it had, in bytes
	took   time.Duration
}

// patience is how long one rpctl may take; it passes only where rpctl hangs.
const patience = 10 * time.Minute

// run lets the program meet a host.
func run(t *testing.T, program string, handler sshhost.Handler, args ...string) rpctl {
	t.Helper()
	dir := t.TempDir()
	private, public, err := sshhost.NewClientKey("developer")
	if err != nil {
		t.Fatal(err)
	}
	host, err := sshhost.Start(sshhost.Options{Authorized: []ssh.PublicKey{public}, Handler: handler})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	for name, content := range map[string]string{
		"key": string(private), "known_hosts": host.KnownHostsLine() + "\n", "hosts.toml": hostsTOML, "approvers": "", "trusted_hosts": trustedHosts,
		"ssh_config": sshhost.ClientConfig(alias, host.Addr().Port, filepath.Join(dir, "key"), filepath.Join(dir, "known_hosts")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	common := []string{"--hosts", filepath.Join(dir, "hosts.toml"), "--ssh-config", filepath.Join(dir, "ssh_config")}
	cmd := exec.CommandContext(ctx, program, append(args, common...)...)
	cmd.Dir = dir
	shown := &head{}
	cmd.Stdout, cmd.Stderr = shown, shown
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	most := make(chan int64)
	go func() { most <- watch(cmd.Process.Pid) }()
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("rpctl %s: %v, %v\n%.2000s", args, err, ctx.Err(), shown.kept.Bytes())
	}
	return rpctl{cmd.ProcessState.ExitCode(), shown.kept.Bytes(), shown.length, <-most, time.Since(began)}
}

// head keeps the first bytes and counts all.
type head struct {
	kept   bytes.Buffer
	length int64
}

func (h *head) Write(p []byte) (int, error) {
	h.length += int64(len(p))
	h.kept.Write(p[:min(len(p), max(0, 1<<20-h.kept.Len()))])
	return len(p), nil
}

var vmHWM = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// watch is the highest memory of a process, looked at until it is gone, in bytes.
func watch(pid int) (most int64) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		found := vmHWM.FindSubmatch(status)
		if err != nil || found == nil { // a process that has ended has no memory any more
			return most
		}
		if kib, err := strconv.ParseInt(string(found[1]), 10, 64); err == nil {
			most = max(most, kib<<10)
		}
	}
	return most
}
