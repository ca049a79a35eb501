package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
)

// scenario is what is wrong, or other than in the runbook. host is asked for the hosts of preprod.
type scenario struct {
	environments func([]inprocess.Environment)
	host         func(*inprocess.Host)
}

// scenarios are what `lab` may be told.
var scenarios = map[string]scenario{
	"two-hosts": {environments: func(all []inprocess.Environment) {
		all[0].Hosts = []string{"rp-preprod-1", "rp-preprod-2"}
	}},
	"glass": {environments: func(all []inprocess.Environment) {
		for i := range all {
			all[i].BreakGlass = true
		}
	}},
	"slow": {environments: func(all []inprocess.Environment) { all[0].Message = 3 * time.Second }},

	// the way to the host
	"absent":        {host: func(h *inprocess.Host) { h.Absent = true }},
	"stalled":       {host: func(h *inprocess.Host) { h.SSH.Faults.StallHandshake = true }},
	"unknown-key":   {host: func(h *inprocess.Host) { h.Unknown = true }},
	"refused-login": {host: func(h *inprocess.Host) { h.SSH.Faults.RefuseAuth = true }},
	"forced":        {host: func(h *inprocess.Host) { h.Forced = true }},
	"noise":         {host: func(h *inprocess.Host) { h.SSH.Faults.Noise = "Welcome to \x1b[31mpreprod\x1b[0m\n" }},

	// the agent
	"agent-missing": {host: func(h *inprocess.Host) { h.SSH.Handler = notFound }},
	"agent-old":     {host: greeting(proto.Span{})},
	"agent-new":     {host: greeting(proto.Span{Min: proto.Version + 1, Max: proto.Version + 2})},
	"agent-of-prod": {host: func(h *inprocess.Host) { h.Agent.Config.Environment = "prod" }},
	"agent-differs": {host: func(h *inprocess.Host) { h.Agent.Config.Workers = h.Agent.Config.Workers[:2] }},
	"unbelieved": {host: func(h *inprocess.Host) {
		h.Agent.Unbelieved = &proto.Error{Code: proto.CodeConfig, Message: "cannot believe agent.toml: others may write to it", Advice: proto.Advice{Code: proto.AdviceRights, Path: proto.ConfigPath}}
	}},
	"stranger": {host: func(h *inprocess.Host) {
		h.Agent.Config.Look, h.Agent.Config.Act = []string{"admins"}, []string{"admins"}
	}},
	"newer-state": {host: func(h *inprocess.Host) { h.Agent.State = stateOfANewerAgent(h.Agent.State) }},

	// the conversation, after so many good lines
	"dies-after-greeting": {host: broken(1, "", -1)},
	"dies-in-restart":     {host: broken(5, "", 137)},
	"truncated":           {host: broken(1, `{"event":"done","id":1,"resu`, 0)},
	"oversized":           {host: broken(1, `{"event":"done","id":1,"result":"`+strings.Repeat("x", 2*proto.MaxLine), 0)},
	"nonsense":            {host: broken(1, "Segmentation \x1b[2Jfault\n", 0)},

	// the units
	"polkit":        {host: func(h *inprocess.Host) { h.Agent.Refuse = func(string, string) bool { return true } }},
	"unit-missing":  {host: unit("messenger_worker_dmp", func(d *inprocess.Unit) { d.Enabled = false })},
	"unit-masked":   {host: unit("messenger_worker_dmp@1", func(d *inprocess.Unit) { d.Masked = true })},
	"start-limited": {host: unit("messenger_worker_dmp", func(d *inprocess.Unit) { d.StartLimitBurst, d.StartLimitInterval = 1, time.Hour })},
	// the worker cannot start before a release has a file `fixed`
	"crashed": {host: unit("messenger_worker_dmp@1", func(d *inprocess.Unit) {
		d.Argv = []string{"/bin/sh", "-c", "test -e fixed && exec " + d.Argv[0] + " worker 100ms"}
		d.StartLimitBurst, d.StartLimitInterval = 2, time.Hour
	})},
	"crash-loop": {host: unit("messenger_worker_dmp@1", func(d *inprocess.Unit) { d.Argv[2], d.StartLimitBurst = "never", 0 })},
	"deaf": {host: unit("messenger_worker_dmp@1", func(d *inprocess.Unit) {
		d.Argv[2], d.TimeoutStop = "1h", 300*time.Millisecond
	})},
}

// notFound is a host without the agent.
func notFound(_ context.Context, r sshhost.Request, _ io.Reader, _, stderr io.Writer) int {
	fmt.Fprintf(stderr, "bash: line 1: %s: command not found\n", strings.Fields(r.Command)[0])
	return 127
}

// greeting is an agent that speaks other versions of the protocol.
func greeting(speaks proto.Span) func(*inprocess.Host) {
	return func(h *inprocess.Host) {
		h.SSH.Handler = func(_ context.Context, _ sshhost.Request, _ io.Reader, stdout, _ io.Writer) int {
			_ = proto.NewWriter(stdout).Write(proto.Hello{
				Event: proto.EventHello, Marker: proto.Marker, Agent: "7.7.7", Protocol: speaks, Host: h.Alias, Environment: h.Environment,
			})
			return 0
		}
	}
}

// broken is an agent whose answers end after so many lines: instead comes next, and then the end.
func broken(lines int, instead string, status int) func(*inprocess.Host) {
	return func(h *inprocess.Host) {
		h.SSH.Handler = func(ctx context.Context, r sshhost.Request, stdin io.Reader, stdout, _ io.Writer) int {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			h.Login(ctx, r, stdin, &firstLines{out: stdout, left: lines, enough: cancel}, io.Discard)
			_, _ = io.WriteString(stdout, instead)
			return status
		}
	}
}

// firstLines passes some lines and then calls enough, and passes nothing any more.
type firstLines struct {
	out    io.Writer
	left   int
	enough func()
}

func (f *firstLines) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0 && f.left > 0; {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		} else {
			f.left--
		}
		if _, err := f.out.Write(rest[:end]); err != nil {
			return 0, err
		}
		rest = rest[end:]
	}
	if f.left == 0 {
		f.enough()
	}
	return len(p), nil
}

// stateOfANewerAgent leaves in the folder what says so.
func stateOfANewerAgent(folder string) string {
	err := os.MkdirAll(folder, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "form.json"), []byte(`{"version":1,"content":{"number":99,"agent":"v9.0"}}`), 0o600)
	}
	if err != nil {
		panic(err)
	}
	return folder
}

// unit changes the units whose names begin so.
func unit(prefix string, change func(*inprocess.Unit)) func(*inprocess.Host) {
	return func(h *inprocess.Host) {
		for i := range h.Agent.Units {
			if strings.HasPrefix(h.Agent.Units[i].Name, prefix) {
				change(&h.Agent.Units[i])
			}
		}
	}
}
