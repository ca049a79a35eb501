package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/lab/wire"
)

// embedded is a world whose host is a part of this process.
type embedded struct {
	*inprocess.Lab
	volume volume
}

// open makes a stage of embedded hosts in an empty folder.
func open(ctx context.Context, options Options, dir string) (*stage, error) {
	s := &stage{options: options}
	runbook := inprocess.Runbook()
	for i := range runbook {
		runbook[i].Hollow = true
	}
	runbook[0].BreakGlass = true
	var err, mounted error
	s.lab, err = inprocess.Start(ctx, inprocess.Options{
		Dir: dir, Environments: runbook,
		Adjust: func(h *inprocess.Host) {
			if h.Alias != alias {
				return // prod knows fair weather only
			}
			h.Wired, h.Agent.Now, h.Agent.Silence = true, s.now, patienceOfHost
			s.volume, mounted = mount(h.Agent.State)
			h.SSH.Handler = func(ctx context.Context, request sshhost.Request, stdin io.Reader, stdout, stderr io.Writer) int {
				if n := s.cutAfter.Swap(0); n > 0 {
					stdout = &cutter{out: stdout, left: n, cut: h.Server().CutAll}
				}
				return h.Login(ctx, request, stdin, stdout, stderr)
			}
		},
	})
	if err = errors.Join(mounted, err); err != nil {
		return nil, errors.Join(err, s.volume.unmount())
	}
	s.world = embedded{s.lab, s.volume}
	return s, nil
}

func (e embedded) Close() {
	e.Lab.Close()
	_ = e.volume.unmount() // what is left of it goes with the machine
}

func (s *stage) host() *inprocess.Host { return s.lab.Host(alias) }

func (e embedded) State(names ...string) string {
	return filepath.Join(append([]string{e.Host(alias).Agent.State}, names...)...)
}

func (e embedded) Outputs() string { return e.State("console", "output") }

func (e embedded) Application() string { return e.Lab.Application(environment) }

func (e embedded) Console(ctx context.Context, args ...string) ([]byte, error) {
	return e.RunConsole(ctx, environment, args...)
}

func (e embedded) Ask(ctx context.Context, command string) (string, error) {
	var out, errs strings.Builder
	login := sshhost.Request{Command: command, User: "app"}
	if status := e.Host(alias).Login(ctx, login, strings.NewReader(""), &out, &errs); status != 0 {
		return out.String(), fmt.Errorf("%s ended with %d: %s%s", command, status, out.String(), errs.String())
	}
	return out.String(), nil
}

func (e embedded) ReceiptKey(context.Context) (string, error) {
	return e.Host(alias).Running().ReceiptKey(), nil
}

func (e embedded) Hold(context.Context) (end func()) { return func() {} }

func (e embedded) Wire() *wire.Proxy { return e.Host(alias).Wire() }

func (e embedded) Left(context.Context) []string { return orphans(e.Dir(), os.Getpid()) }

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
