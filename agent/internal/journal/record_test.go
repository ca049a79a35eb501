package journal

import (
	"net"
	"path/filepath"
	"testing"
)

func TestRecord(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	journald, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer journald.Close()
	if err := record(socket, "rp-agent-audit", []byte(`{"seq":1}`)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1000)
	n, _, err := journald.ReadFrom(got)
	if want := "SYSLOG_IDENTIFIER=rp-agent-audit\nPRIORITY=5\nMESSAGE={\"seq\":1}\n"; err != nil || string(got[:n]) != want {
		t.Errorf("%q, %v; want %q", got[:n], err, want)
	}
	if record(socket, "rp-agent-audit", []byte("a\nPRIORITY=0")) == nil {
		t.Error("a line brings a field of its own")
	}
	if record(socket+"x", "rp-agent-audit", []byte("a")) == nil {
		t.Error("there is no journald, and it is not told")
	}
}
