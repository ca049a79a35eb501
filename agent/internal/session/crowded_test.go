package session

import (
	"testing"

	"github.com/re-connect/rpctl/proto"
)

// TestCrowdedConnectionCancelsAndListsAlone: a caller whose places are taken may still end a job, and nothing else.
func TestCrowdedConnectionCancelsAndListsAlone(t *testing.T) {
	host := hostOf(t.TempDir(), &fakeHost{})
	host.Crowded = &proto.Error{Code: proto.CodeLimit, Message: "too many connections", Next: "pgrep"}
	c := callHost(t, actor, host)
	if c.hello.Error != nil {
		t.Fatalf("%+v", c.hello.Error)
	}
	id := 1
	for op, want := range map[proto.Op]proto.Code{
		proto.OpLease: proto.CodeLimit, proto.OpStatus: proto.CodeLimit, proto.OpJobStart: proto.CodeLimit, proto.OpJobFollow: proto.CodeLimit,
		proto.OpJobs: proto.CodeGate, proto.OpJobCancel: proto.CodeGate, // this host runs no jobs: the operation was asked
	} {
		wantError(t, c.ask(id, op, `{}`), int64(id), want)
		id++
	}
	if got := c.audited(); got != "" {
		t.Errorf("audit: %s", got)
	}
}
