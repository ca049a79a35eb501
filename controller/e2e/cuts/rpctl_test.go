package cuts_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/re-connect/rpctl/controller/internal/cli"
)

// attempt is how one command went.
type attempt struct {
	code     int // stuck where it did not end, panicked where it did
	said     string
	struck   bool // a line was cut
	up, down int64
}

const (
	stuck    = -1
	panicked = -2
)

// rpctl is a whole command, in this process: what the real one gets from its own, it gets here.
func (s *sweeper) rpctl(args ...string) (a attempt) {
	var stdout, stderr bytes.Buffer
	before, ended := s.proxy().Cuts(), make(chan int, 1)
	go pprof.Do(s.t.Context(), pprof.Labels(sweepLabel, s.t.Name(), cutLabel, s.what), func(context.Context) {
		code := panicked
		defer func() {
			if why := recover(); why != nil {
				fmt.Fprintf(&stderr, "panic: %v\n%s", why, debug.Stack())
			}
			ended <- code
		}()
		code = cli.Run(cli.System{
			Args: append(args, "--env", s.host.Environment), Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
			Getenv: s.getenv, Dir: s.folder(), Hostname: "laptop", Alive: s.care.alive,
			Exit: func(code int) { panic(fmt.Sprintf("exit %d, and nobody typed Ctrl-C", code)) },
		})
	})
	limit := time.NewTimer(endsWithin)
	defer limit.Stop()
	select {
	case a.code = <-ended:
		a.said = stdout.String() + stderr.String()
	case <-limit.C:
		a.code = stuck // what it said is still being written
	}
	a.struck = s.proxy().Cuts() > before
	a.up, a.down = s.proxy().Passed()
	return a
}

func (s *sweeper) getenv(name string) string {
	return map[string]string{
		"HOME": s.lab.Dir(), "USER": "alice", "PATH": os.Getenv("PATH"),
		"RPCTL_HOSTS": filepath.Join(s.folder(), "hosts.toml"), "RPCTL_SSH_CONFIG": filepath.Join(s.folder(), "ssh_config"),
	}[name]
}

// particulars are what differs from one attempt to the next in what rpctl says.
var particulars = []struct {
	form *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`\bjob [a-z0-9]{8,64}\b`), "job ID"}, {regexp.MustCompile(`--env e\d+`), "--env ENV"},
	{regexp.MustCompile(` -F \S+`), ""}, {regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"}, {regexp.MustCompile(`\s*\n\s*`), " / "},
}

// ending is how a command ended, in words that are the same for all of them.
func (a attempt) ending(alias string) string {
	_, last, _ := strings.Cut(a.said, "rpctl: ")
	last = strings.ReplaceAll(strings.TrimSpace(last), alias, "HOST")
	for _, p := range particulars {
		last = p.form.ReplaceAllString(last, p.name)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.code, last))
}
