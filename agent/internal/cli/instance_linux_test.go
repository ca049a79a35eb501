package cli

import (
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/peer/peertest"
	"github.com/re-connect/rpctl/proto"
)

// TestInstanceServesTheSocketOnItsStandardInput starts the process as systemd does. Its agent.toml is
// not there: it still greets, says why it can serve nothing, and ends.
func TestInstanceServesTheSocketOnItsStandardInput(t *testing.T) {
	conn, theirs := peertest.Pair(t)
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
	if err := json.Unmarshal(said, &hello); err != nil || hello.Marker != proto.Marker || hello.Error == nil || hello.Error.Code != proto.CodeConfig || hello.Error.Advice.Text() == "" {
		t.Errorf("greeting %s, %v", said, err)
	}
}
