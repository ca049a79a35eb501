package session

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/lease"
	"github.com/re-connect/rpctl/agent/internal/peer"
	"github.com/re-connect/rpctl/proto"
)

// members are the groups that a host's files list for the caller, changed while it is connected.
type members struct{ now atomic.Pointer[[]string] }

func (m *members) set(groups ...string) { m.now.Store(&groups) }

func (m *members) recheck(c peer.Caller) (peer.Caller, error) {
	groups := m.now.Load()
	if groups == nil {
		return peer.Caller{}, errors.New("home (uid 1000) has no account in /etc/passwd")
	}
	c.Groups = *groups
	return c, nil
}

// calledAs is a conversation of an operator whose membership the test changes.
func calledAs(t *testing.T, f *fakeHost) (*talk, *members) {
	t.Helper()
	m := &members{}
	m.set("home", "rpctl-act")
	host := hostOf(t.TempDir(), f)
	host.Recheck = m.recheck
	return callHost(t, actor, host), m
}

// TestMembershipCountsForEachRequest: an operator who left the team is refused in the connection that is open, whatever
// is asked; one who may still look may still look.
func TestMembershipCountsForEachRequest(t *testing.T) {
	changes := map[proto.Op]string{proto.OpLease: `{"purpose":"deploy"}`, proto.OpRestart: `{}`, proto.OpRecord: `{"result":"failed"}`,
		proto.OpJobStart: `{}`, proto.OpJobCancel: `{}`, proto.OpApprove: `{}`}
	for name, c := range map[string]struct {
		after []string
		looks bool
		says  string
	}{
		"left the operators":  {[]string{"home", "rpctl-look"}, true, "was in one when it logged in"},
		"left all groups":     {[]string{"home"}, false, "was in one when it logged in"},
		"has no account more": {nil, false, "has no account"},
	} {
		t.Run(name, func(t *testing.T) {
			c2, m := calledAs(t, &fakeHost{})
			wantDone(t, c2.ask(1, proto.OpRelease, `{}`), 1)
			if m.set(c.after...); c.after == nil {
				m.now.Store(nil)
			}
			id := 2
			for op, args := range changes {
				event := c2.ask(id, op, args)
				wantError(t, event, int64(id), proto.CodeForbidden)
				if !strings.Contains(string(event.Error.Message), c.says) {
					t.Errorf("%s: %q", op, event.Error.Message)
				}
				id++
			}
			if event := c2.ask(id, proto.OpRelease, `{}`); (event.Event == proto.EventDone) != c.looks {
				t.Errorf("looking: %+v", event)
			}
			m.set("rpctl-act")
			wantDone(t, c2.ask(id+1, proto.OpLease, `{"purpose":"deploy"}`), int64(id+1))
		})
	}
}

// TestGreetingAsksForTheMembershipOfNow: a login that is older than the removal has the group in its process still.
func TestGreetingAsksForTheMembershipOfNow(t *testing.T) {
	m := &members{}
	m.set("home")
	host := hostOf(t.TempDir(), &fakeHost{})
	host.Recheck = m.recheck
	c := callHost(t, actor, host)
	if c.hello.Error == nil || c.hello.Error.Code != proto.CodeForbidden || c.hello.Config != nil {
		t.Errorf("%+v", c.hello)
	}
	_ = c.ended()
}

// TestHolderWhoLeavesLosesTheHost at the next sign of life, be it a ping or a request that only looks.
func TestHolderWhoLeavesLosesTheHost(t *testing.T) {
	for name, sign := range map[string]string{
		"ping":    `{"ping":true}`,
		"request": `{"id":2,"protocol":1,"op":"release","environment":"preprod"}`,
	} {
		t.Run(name, func(t *testing.T) {
			c, m := calledAs(t, &fakeHost{})
			wantDone(t, c.ask(1, proto.OpLease, `{"purpose":"deploy"}`), 1)
			m.set("rpctl-look")
			c.say("%s", sign)
			if err := c.ended(); !errors.Is(err, errBarred) {
				t.Errorf("ended with %v", err)
			}
			if holder, err := lease.HolderOf(c.host.State); err != nil || holder != nil {
				t.Errorf("held by %+v, %v", holder, err)
			}
		})
	}
}

// TestFollowerWhoLeavesSeesNoMore, and one who may still look goes on.
func TestFollowerWhoLeavesSeesNoMore(t *testing.T) {
	following := make(chan struct{}, 1)
	c, m := calledAs(t, &fakeHost{follow: func(ctx context.Context, _ bool, _ func(proto.LogLine) error) error {
		following <- struct{}{}
		<-ctx.Done()
		return nil
	}})
	c.request(1, proto.OpJournal, `{"follow":true}`)
	<-following
	m.set("rpctl-look")
	c.say(`{"ping":true}`)
	m.set()
	c.say(`{"ping":true}`)
	if err := c.ended(); !errors.Is(err, errBarred) {
		t.Errorf("ended with %v", err)
	}
}

// TestRootNeedsNoGroup, and the files are not read for it.
func TestRootNeedsNoGroup(t *testing.T) {
	host := hostOf(t.TempDir(), &fakeHost{})
	host.Recheck = func(peer.Caller) (peer.Caller, error) { return peer.Caller{}, errors.New("no such file") }
	c := callHost(t, root, host)
	wantDone(t, c.ask(1, proto.OpLease, `{"purpose":"deploy"}`), 1)
}
