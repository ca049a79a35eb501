package connect

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSSHLeavesTheTerminal: a Ctrl-C reaches every process of the terminal's session, and must not end what carries the
// connection (a ProxyCommand, the ssh of a jump).
func TestSSHLeavesTheTerminal(t *testing.T) {
	b := newBench(t)
	b.real("pp1", b.startSSHD("pp1"), "ProxyCommand bash -c 'ps -o sid= -p $$ >"+b.path("session")+"; exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3; kill $!'")
	conn, err := b.dialReal("pp1")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ours, err := exec.Command("ps", "-o", "sid=", "-p", strconv.Itoa(os.Getpid())).Output()
	if err != nil {
		t.Skip("no ps here: ", err)
	}
	theirs, err := os.ReadFile(b.path("session"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(theirs)) == strings.TrimSpace(string(ours)) {
		t.Errorf("the proxy's session is rpctl's: %s", theirs)
	}
}

// TestSSHWithoutRuntimeFolder: ssh logs in where XDG_RUNTIME_DIR names no folder that a socket can be made in.
func TestSSHWithoutRuntimeFolder(t *testing.T) {
	b := newBench(t)
	host := b.startSSHD("pp1")
	b.real("pp1", host, "HostKeyAlgorithms ssh-ed25519")
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 25))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, folder := range map[string]string{"none": "", "absent": "/run/user/absent", "long": long, "relative": "."} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_RUNTIME_DIR", folder)
			conn, err := b.dialReal("pp1")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			checkRuns(t, conn, "ssh")
		})
	}
}

// TestSSHHasItsConnectTimeout: what the configuration allows for TCP comes before the time for the login.
func TestSSHHasItsConnectTimeout(t *testing.T) {
	b := newBench(t)
	b.real("pp1", b.startSSHD("pp1"), "HostKeyAlgorithms ssh-ed25519", "ConnectTimeout 300")
	conn, err := New(Options{SSHConfig: b.write("config", b.config.String()), HandshakeWithin: time.Nanosecond, MasterWithin: time.Minute}).Dial(t.Context(), "pp1")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	checkRuns(t, conn, "ssh")
}
