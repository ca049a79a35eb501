package cuts_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/lab/wire"
	"github.com/re-connect/rpctl/proto"
)

// sweeper tries one cut after the other on a host of its own.
type sweeper struct {
	t    *testing.T
	lab  *inprocess.Lab
	host *inprocess.Host
	what string // is tried: the cut, for messages
	care care
	// endings is how often rpctl ended in which way.
	endings map[string]int

	mu       sync.Mutex
	restarts map[string]int // of each unit, since they were last counted
}

func (s *sweeper) proxy() *wire.Proxy { return s.host.Wire() }

// failed says what is wrong after which cut.
func (s *sweeper) failed(format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("%s: %s", s.what, fmt.Sprintf(format, args...))
}

// care is how closely each side of a line looks for the other; the zero value is as rpctl and rp-agent do.
type care struct {
	alive   time.Duration // rpctl asks so often, and waits as long for the answer
	silence time.Duration // after which the host takes back what somebody holds
}

// farm starts so many hosts, in one lab.
func farm(t *testing.T, n int, c care) (all []*sweeper) {
	t.Helper()
	var environments []inprocess.Environment
	for i := range n {
		environments = append(environments, inprocess.Environment{
			Name: fmt.Sprintf("e%d", i), Hosts: []string{fmt.Sprintf("host%d", i)}, Branch: "dev", Instances: workers, Console: true, Hollow: true,
			Workers: []proto.UnitPattern{"messenger_worker_async@*.service"},
		})
		all = append(all, &sweeper{t: t, care: c, what: "no cut", endings: map[string]int{}, restarts: map[string]int{}})
	}
	var lab *inprocess.Lab
	var err error
	options := inprocess.Options{Dir: t.TempDir(), Environments: environments, Adjust: func(h *inprocess.Host) {
		s := all[slices.IndexFunc(environments, func(e inprocess.Environment) bool { return e.Name == h.Environment })]
		s.host, h.Wired, h.Agent.Silence, h.Agent.Refuse = h, true, c.silence, s.count
	}}
	labelled(t, func(ctx context.Context) { lab, err = inprocess.Start(ctx, options) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	for _, s := range all {
		s.lab = lab
		if err := s.writeFiles(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// count counts what the host's service manager was told to do; it refuses nothing.
func (s *sweeper) count(verb, unit string) (refused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restarts[verb+" "+unit]++
	return false
}

// counted takes the restarts that were counted, and begins anew.
func (s *sweeper) counted() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counted := s.restarts
	s.restarts = map[string]int{}
	return counted
}

// workers is how many units each host has.
const workers = 2

// folder is where the sweeper's rpctl is typed: a plan's receipts are written beside it.
func (s *sweeper) folder() string { return filepath.Join(s.lab.Dir(), "operator-"+s.host.Environment) }

// writeFiles gives the sweeper an inventory and an ssh configuration of its host alone: to read those of all
// hosts would cost more than the handshake.
func (s *sweeper) writeFiles() error {
	all, err := os.ReadFile(s.lab.HostsTOML())
	if err != nil {
		return err
	}
	const table = "\n[environments."
	version, tables, _ := strings.Cut(string(all), table)
	inventory := version
	for _, one := range strings.Split(tables, table) {
		if strings.HasPrefix(one, s.host.Environment+"]") || strings.HasPrefix(one, s.host.Environment+".") {
			inventory += table + one
		}
	}
	config := sshhost.ClientConfig(s.host.Alias, s.proxy().Addr().Port, filepath.Join(s.lab.Dir(), "id_ed25519"), filepath.Join(s.folder(), "known_hosts"))
	if err := os.Mkdir(s.folder(), 0o755); err != nil {
		return err
	}
	pinned, err := os.ReadFile(filepath.Join(s.lab.Dir(), "trusted_hosts"))
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		planFile: planText, "trusted_hosts": string(pinned), "hosts.toml": inventory, "ssh_config": config, "known_hosts": s.host.Server().KnownAs(s.proxy().Addr()) + "\n",
		"approvers": "",
	} {
		if err := os.WriteFile(filepath.Join(s.folder(), name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

const planFile = "plan.toml"

const planText = `version = 1
ticket = "https://trello.example/c/cuts"
centre = "France Fraternités"

[centres]
4537 = "France Fraternités - CHU 75"
5644 = "France Fraternités - CHU 77"

[[groups]]
steps = [{ origin = 4537, destination = 5644, field = "` + console.Slug + `", value = "CHU 77" }]
`
