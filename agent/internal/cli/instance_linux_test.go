package cli

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

// TestInstanceServesTheSocketOnItsStandardInput starts the process as systemd does. Its agent.toml is
// not there: it still greets, says why it can serve nothing, and ends.
func TestInstanceServesTheSocketOnItsStandardInput(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	instance := exec.Command("rp-agent", "instance")
	instance.Stdin, instance.Stdout = theirs, theirs
	var complaints strings.Builder
	instance.Stderr = &complaints
	if err := instance.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	said, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := instance.Wait(); err != nil || complaints.String() != "" {
		t.Errorf("%v, %q", err, complaints.String())
	}
	var hello proto.Hello
	if err := json.Unmarshal(said, &hello); err != nil || hello.Marker != proto.Marker || hello.Error == nil || hello.Error.Code != proto.CodeConfig || hello.Error.Next == "" {
		t.Errorf("greeting %s, %v", said, err)
	}
}
