// Package scale measures rpctl against many hosts: hollow hosts of lab/inprocess in a
// process of their own, and every program that is measured as a child of a small one, so
// that its memory and processor time are its own.
package scale

import (
	"context"
	"fmt"
	"io"

	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/proto"
)

// The environments of a fleet.
const (
	EnvDead  = "dead"  // silent and refusing hosts; first in hosts.toml, where it costs most
	EnvAlive = "alive" // hosts in good health
)

// Sizes is how many hosts of each kind there are.
type Sizes struct {
	Alive    int
	Silent   int // accept TCP and never say a word
	Refusing int // nobody listens at their port
	// Broken is the index of the one alive host that refuses every restart, counted from 1; 0 is none.
	Broken int
}

// Ready is what the process of the hosts prints when all of them listen.
const Ready = "ready"

// Serve boots the hosts of a fleet in this process, with all that leads to them in dir, prints
// Ready to out and serves until stdin ends.
func Serve(ctx context.Context, dir string, sizes Sizes, stdin io.Reader, out io.Writer) error {
	lab, err := inprocess.Start(ctx, inprocess.Options{Dir: dir, Environments: sizes.environments(), Adjust: sizes.adjust})
	if err != nil {
		return err
	}
	defer lab.Close()
	if _, err := fmt.Fprintln(out, Ready); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, stdin)
	return err
}

func (s Sizes) environments() []inprocess.Environment {
	workers := []proto.UnitPattern{"messenger_worker_async@*.service", "messenger_worker_dmp@*.service"}
	alive := inprocess.Environment{Name: EnvAlive, Branch: "dev", Workers: workers, Hollow: true, Hosts: names("alive", s.Alive)}
	if s.Silent+s.Refusing == 0 {
		return []inprocess.Environment{alive}
	}
	dead := inprocess.Environment{
		Name: EnvDead, Branch: "dev", Workers: workers, Hollow: true,
		Hosts: append(names("silent", s.Silent), names("refusing", s.Refusing)...),
	}
	return []inprocess.Environment{dead, alive}
}

func names(kind string, count int) []string {
	all := make([]string, count)
	for i := range all {
		all[i] = name(kind, i+1)
	}
	return all
}

func name(kind string, number int) string { return fmt.Sprintf("%s-%04d", kind, number) }

// adjust breaks the hosts that are to be broken.
func (s Sizes) adjust(h *inprocess.Host) {
	var kind string
	var number int
	if _, err := fmt.Sscanf(h.Alias, "silent-%d", &number); err == nil {
		kind = "silent"
	} else if _, err := fmt.Sscanf(h.Alias, "refusing-%d", &number); err == nil {
		kind = "refusing"
	}
	h.SSH.Faults.StallHandshake = kind == "silent"
	h.Absent = kind == "refusing"
	if s.Broken > 0 && h.Alias == name("alive", s.Broken) {
		h.Agent.Refuse = func(verb, _ string) bool { return verb == "restart" }
	}
}
