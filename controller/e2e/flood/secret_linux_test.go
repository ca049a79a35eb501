package flood

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/lab/sshhost"
)

const passphrase = "correct-horse-4711"

// TestSecrets: what a person types on the terminal, the passphrase of a key, is in no output, file, command
// line or environment, on neither side of the connection, while rpctl runs and after.
func TestSecrets(t *testing.T) {
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("no terminal can be made here: script(1) is not installed")
	}
	program, dir := build(t), t.TempDir()
	key := filepath.Join(dir, "key")
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	authorized, _, _, _, err := ssh.ParseAuthorizedKey(public)
	if err != nil {
		t.Fatal(err)
	}
	var heard bytes.Buffer // all commands that the host was asked to run
	host, err := sshhost.Start(sshhost.Options{Authorized: []ssh.PublicKey{authorized}, Handler: func(_ context.Context, r sshhost.Request, _ io.Reader, _, stderr io.Writer) int {
		fmt.Fprintln(&heard, r.Command)
		processes(t)
		fmt.Fprintln(stderr, "rp-agent: not found")
		return 1
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	for name, content := range map[string]string{
		"known_hosts": host.KnownHostsLine() + "\n", "hosts.toml": hostsTOML, "approvers": "",
		"ssh_config": fmt.Sprintf("Host %s\n    HostName 127.0.0.1\n    Port %d\n    User app\n    IdentityFile %s\n    IdentitiesOnly yes\n    IdentityAgent none\n"+
			"    UserKnownHostsFile %s\n    GlobalKnownHostsFile /dev/null\n    ControlPath none\n", alias, host.Addr().Port, key, filepath.Join(dir, "known_hosts")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said := onTerminal(t, dir, program+" status --env preprod --hosts hosts.toml --ssh-config ssh_config", passphrase)
	if heard.Len() == 0 {
		t.Fatalf("rpctl did not log in:\n%s", said)
	}
	if !strings.Contains(said, alias) {
		t.Errorf("rpctl shows nothing of the host:\n%s", said)
	}
	nowhere(t, "the terminal", []byte(said))
	nowhere(t, "the host's commands", heard.Bytes())
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(name)
		nowhere(t, name, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// onTerminal runs a command on a terminal of its own, types the answer once it is asked, and returns what was shown.
func onTerminal(t *testing.T, dir, command, answer string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "script", "-q", "-e", "-c", command, filepath.Join(dir, "typescript"))
	cmd.Dir = dir
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	typed := false
	buffer := make([]byte, 4096)
	for {
		n, err := stdout.Read(buffer)
		shown.Write(buffer[:n])
		if !typed && strings.Contains(shown.String(), "assphrase") {
			typed = true
			fmt.Fprintln(stdin, answer)
			_ = stdin.Close() // script(1) waits for it
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Wait() // status ends with the host's failure
	if !typed {
		t.Fatalf("nobody asked for the passphrase:\n%s", shown.String())
	}
	return shown.String()
}

// processes looks at the command lines and environments of all processes.
func processes(t *testing.T) {
	for _, pattern := range []string{"/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"} {
		files, _ := filepath.Glob(pattern)
		for _, name := range files {
			if content, err := os.ReadFile(name); err == nil { // others' are not ours to read
				nowhere(t, name, content)
			}
		}
	}
}

func nowhere(t *testing.T, where string, content []byte) {
	t.Helper()
	if bytes.Contains(content, []byte(passphrase)) {
		t.Errorf("%s has the passphrase", where)
	}
}
