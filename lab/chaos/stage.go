package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
)

// The one environment of the lab, and its host.
const (
	environment = "preprod"
	alias       = "rp-preprod"
)

// stage is a lab that serves one run after the other.
type stage struct {
	options Options
	lab     *inprocess.Lab
	// cutAfter is after how many bytes of the next command's stdout the line is cut; 0 never.
	cutAfter atomic.Int64
}

func open(ctx context.Context, options Options, dir string) (*stage, error) {
	s := &stage{options: options}
	runbook := inprocess.Runbook()[0]
	runbook.Hollow = true
	var err error
	s.lab, err = inprocess.Start(ctx, inprocess.Options{
		Dir: dir, Environments: []inprocess.Environment{runbook},
		Adjust: func(h *inprocess.Host) {
			h.SSH.Handler = func(ctx context.Context, request sshhost.Request, stdin io.Reader, stdout, stderr io.Writer) int {
				if n := s.cutAfter.Swap(0); n > 0 {
					stdout = &cutter{out: stdout, left: n, cut: h.Server().CutAll}
				}
				return h.Login(ctx, request, stdin, stdout, stderr)
			}
		},
	})
	return s, err
}

func (s *stage) close() { s.lab.Close() }

func (s *stage) host() *inprocess.Host { return s.lab.Host(alias) }

// state is the host's folder, as /var/lib/rp-agent on a real one.
func (s *stage) state(names ...string) string {
	return filepath.Join(append([]string{s.host().Agent.State}, names...)...)
}

func (s *stage) shared(name string) string {
	return filepath.Join(s.lab.Application(environment), "shared", name)
}

// turn sets how the application behaves.
func (s *stage) turn(knobs console.Knobs) error {
	text, err := json.Marshal(knobs)
	if err != nil {
		return err
	}
	file := s.shared("migration.json")
	return errors.Join(os.WriteFile(file+".new", text, 0o644), os.Rename(file+".new", file))
}

// effects are what happened, as the application says.
func (s *stage) effects(ctx context.Context) (told console.Effects, err error) {
	out, err := s.lab.RunConsole(ctx, environment, console.CommandEffects)
	if err == nil {
		err = json.Unmarshal(out, &told)
	}
	return told, err
}

// starts counts the starts of the migration command, dry runs too.
func (s *stage) starts() int {
	text, _ := os.ReadFile(s.shared("var/migration-runs.log")) // none before the first
	return strings.Count(string(text), "\n")
}

// ask types `rp-agent …` on the host as a login user would.
func (s *stage) ask(ctx context.Context, command string) (string, error) {
	var out, errs strings.Builder
	login := sshhost.Request{Command: command, User: "app"}
	if status := s.host().Login(ctx, login, strings.NewReader(""), &out, &errs); status != 0 {
		return out.String(), fmt.Errorf("%s ended with %d: %s%s", command, status, out.String(), errs.String())
	}
	return out.String(), nil
}

// cutter passes so many bytes, and then the line is dead.
type cutter struct {
	out  io.Writer
	left int64
	cut  func()
}

func (c *cutter) Write(data []byte) (int, error) {
	n, err := c.out.Write(data[:min(int64(len(data)), c.left)])
	c.left -= int64(n)
	if c.left <= 0 {
		c.cut()
		return n, io.ErrClosedPipe
	}
	return n, err
}

func join(args []string) string { return strings.Join(args, "\x00") }

// unended are the jobs that the host's disk says are not over.
func (s *stage) unended() []proto.JobID {
	records, _ := s.records()
	var ids []proto.JobID
	for _, r := range records {
		if !r.Job.State.Ended() {
			ids = append(ids, r.Job.ID)
		}
	}
	return ids
}
