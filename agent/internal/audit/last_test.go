package audit

import (
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
)

func TestLastDeploy(t *testing.T) {
	lease := func(purpose string) proto.AuditEntry {
		e := entry(ActionLease)
		e.Purpose = purpose
		return e
	}
	record := func(result string) proto.AuditEntry {
		e := entry(ActionRecord)
		e.Result, e.Release, e.Revision, e.Detail = result, "42", "abc123", "all well"
		return e
	}
	end := entry(ActionLeaseEnd)
	end.Result = "connection lost without a record"
	at := func(n int) time.Time { return began.Add(time.Duration(n) * time.Second) }
	deployer := &proto.Holder{UID: 1000, Purpose: "deploy"}
	recorded := proto.DeployRecord{Kind: "deploy", Operator: "alice@laptop", User: "home", Began: at(1), Ended: at(3),
		Result: "succeeded", Release: "42", Revision: "abc123", Detail: "all well"}

	cases := []struct {
		name    string
		entries []proto.AuditEntry
		holder  *proto.Holder
		want    *proto.DeployRecord
	}{
		{"none, only a restart", []proto.AuditEntry{lease("restart"), record("succeeded"), end}, nil, nil},
		{"recorded", []proto.AuditEntry{lease("deploy"), entry(ActionRestart), record("succeeded"), end}, nil, &recorded},
		{"recorded, and still held", []proto.AuditEntry{lease("deploy"), entry(ActionRestart), record("succeeded")}, deployer, &recorded},
		{"a restart came after it", []proto.AuditEntry{lease("deploy"), entry(ActionRestart), record("succeeded"), end, lease("restart"), record("failed"), end}, nil, &recorded},
		{"connection lost", []proto.AuditEntry{lease("rollback"), end}, nil,
			&proto.DeployRecord{Kind: "rollback", Operator: "alice@laptop", User: "home", Began: at(1), Ended: at(2), Result: "unknown", Detail: proto.HostText(end.Result)}},
		{"running", []proto.AuditEntry{lease("deploy")}, deployer,
			&proto.DeployRecord{Kind: "deploy", Operator: "alice@laptop", User: "home", Began: at(1), Result: "running"}},
		{"agent killed, nobody holds", []proto.AuditEntry{lease("deploy")}, nil,
			&proto.DeployRecord{Kind: "deploy", Operator: "alice@laptop", User: "home", Began: at(1), Result: "unknown"}},
		{"agent killed, then a restart holds", []proto.AuditEntry{lease("deploy"), lease("restart")}, deployer,
			&proto.DeployRecord{Kind: "deploy", Operator: "alice@laptop", User: "home", Began: at(1), Result: "unknown"}},
		{"the newest counts", []proto.AuditEntry{lease("deploy"), record("failed"), end, lease("deploy")}, deployer,
			&proto.DeployRecord{Kind: "deploy", Operator: "alice@laptop", User: "home", Began: at(4), Result: "running"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			log := testLog(t)
			for _, e := range c.entries {
				add(t, log, e)
			}
			got, err := log.LastDeploy(c.holder)
			if err != nil {
				t.Fatal(err)
			}
			if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
				t.Errorf("LastDeploy = %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestARefusedDeployIsNotTheLastOne: a mistake that was refused must not hide what runs.
func TestARefusedDeployIsNotTheLastOne(t *testing.T) {
	log := testLog(t)
	for _, line := range []proto.AuditEntry{
		{Action: ActionLease, Purpose: "deploy", Operator: "alice"}, {Action: ActionRecord, Result: "succeeded", Release: "2"}, {Action: ActionLeaseEnd},
		{Action: ActionLease, Purpose: "deploy", Operator: "bob"}, {Action: ActionRecord, Result: proto.NotBegun}, {Action: ActionLeaseEnd},
	} {
		add(t, log, line)
	}
	last, err := log.LastDeploy(nil)
	if err != nil || last == nil || last.Operator != "alice" || last.Release != "2" || last.Result != "succeeded" {
		t.Errorf("%+v, %v", last, err)
	}
}
