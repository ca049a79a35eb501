package supervisor

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// Definition is a unit file, as far as the supervisor keeps it.
type Definition struct {
	Name string // name.service, name@instance.service, or the template name@.service
	// Argv is ExecStart, its first word an absolute path. In Argv, Dir and Env, %i is the instance.
	Argv []string
	Dir  string   // WorkingDirectory; looked up at each start, so that it may go through a link
	Env  []string // KEY=value; nothing is inherited but PATH
	// TimeoutStop is the time between SIGTERM and SIGKILL; 0 means that it may take for ever.
	TimeoutStop time.Duration
	// Within StartLimitInterval a unit starts at most StartLimitBurst times; 0 of either is no limit.
	StartLimitBurst    int
	StartLimitInterval time.Duration
	// Restart is systemd's Restart=on-failure, RestartDelay its RestartSec.
	Restart      bool
	RestartDelay time.Duration
	Enabled      bool // expected to run, and started by Boot
	Masked       bool
}

func (d Definition) check() error {
	name := strings.Replace(d.Name, "@.service", "@i.service", 1)
	if err := proto.UnitPattern(name).Check(); err != nil || strings.Contains(name, "*") {
		return errors.New("that is no name of a service")
	}
	if d.Masked {
		return nil // a link to /dev/null says nothing more
	}
	if len(d.Argv) == 0 || !filepath.IsAbs(d.Argv[0]) {
		return fmt.Errorf("its argv must begin with an absolute path, not %q", d.Argv)
	}
	return nil
}

// instance is what a template says for name.
func (d Definition) instance(name string) Definition {
	d.Name = name
	d.Enabled = false
	return d
}

// expand replaces %i in words by the unit's instance.
func (d Definition) expand(words ...string) []string {
	_, rest, _ := strings.Cut(d.Name, "@")
	instance := strings.TrimSuffix(rest, ".service")
	expanded := make([]string, len(words))
	for i, word := range words {
		expanded[i] = strings.ReplaceAll(word, "%i", instance)
	}
	return expanded
}

// paths is what the unit starts through, as units.State.Paths says.
func (d Definition) paths() []string {
	var paths []string
	if d.Dir != "" {
		paths = d.expand(d.Dir)
	}
	return append(paths, d.expand(d.Argv...)...)
}
