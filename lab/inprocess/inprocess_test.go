package inprocess_test

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
)

func TestMain(m *testing.M) {
	inprocess.RunApp()
	os.Exit(m.Run())
}

func start(t *testing.T, options inprocess.Options) *inprocess.Lab {
	t.Helper()
	options.Dir = t.TempDir()
	lab, err := inprocess.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	return lab
}

// ask runs `rp-agent rpc` on a host with one request, and decodes the answer to it.
func ask(t *testing.T, lab *inprocess.Lab, alias, request string, result any) {
	t.Helper()
	var out, errs bytes.Buffer
	login := sshhost.Request{Command: "rp-agent rpc", User: "app", RemoteAddr: &net.TCPAddr{}, LocalAddr: &net.TCPAddr{}}
	status := lab.Host(alias).Login(t.Context(), login, strings.NewReader(request+"\n"), &out, &errs)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var event proto.Event
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &event); err != nil || status != 0 || event.Event != proto.EventDone {
		t.Fatalf("%s answers %d, %s%s", alias, status, out.String(), errs.String())
	}
	if err := json.Unmarshal(event.Result, result); err != nil {
		t.Fatal(err)
	}
}

const status = `{"id":1,"protocol":1,"op":"status"}`

func TestHostsOfTheRunbookAreHealthy(t *testing.T) {
	lab := start(t, inprocess.Options{})
	for alias, workers := range map[string]int{"rp-preprod": 6, "rp-prod": 2} {
		var got proto.Status
		ask(t, lab, alias, status, &got)
		if !got.Healthy() || len(got.Workers) != workers || got.Release == nil || got.Release.Name != "1" {
			t.Errorf("%s: %d workers, release %+v, %q", alias, len(got.Workers), got.Release, got.Problems)
		}
		for _, w := range got.Workers {
			if w.Code != proto.CodeCurrent {
				t.Errorf("%s runs %s code (%s)", w.Unit, w.Code, w.Why)
			}
		}
	}
}

func TestManyHollowHosts(t *testing.T) {
	many := inprocess.Environment{Name: "many", Branch: "dev", Hollow: true, Workers: []proto.UnitPattern{"w@*.service"}}
	for _, c := range "abcdefghijklmnopqrst" {
		many.Hosts = append(many.Hosts, "host-"+string(c))
	}
	lab := start(t, inprocess.Options{Environments: []inprocess.Environment{many}})
	for _, alias := range many.Hosts {
		var got proto.Status
		ask(t, lab, alias, status, &got)
		if !got.Healthy() || len(got.Workers) != 1 {
			t.Errorf("%s: %+v", alias, got)
		}
	}
}

func TestUnknownCommandIsNotFound(t *testing.T) {
	lab := start(t, inprocess.Options{})
	var errs bytes.Buffer
	got := lab.Host("rp-prod").Login(t.Context(), sshhost.Request{Command: "sudo id"}, strings.NewReader(""), &bytes.Buffer{}, &errs)
	if got != 127 || !strings.Contains(errs.String(), "sudo: command not found") {
		t.Errorf("%d, %q", got, errs.String())
	}
}
