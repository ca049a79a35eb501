package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/proto"
)

// The one environment of the lab, and its host.
const (
	environment = "preprod"
	alias       = "rp-preprod"
)

// stage is a world that serves one run after the other.
type stage struct {
	world
	options Options

	// Of embedded hosts only:

	lab *inprocess.Lab
	// cutAfter is after how many bytes of the next command's stdout the line is cut; 0 never.
	cutAfter atomic.Int64
	// clock is by how much the host's differs from this machine's, in nanoseconds.
	clock  atomic.Int64
	volume volume // the host's state
}

func (s *stage) now() time.Time { return time.Now().Add(time.Duration(s.clock.Load())) }

func (s *stage) shared(name string) string { return filepath.Join(s.Application(), "shared", name) }

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
	out, err := s.Console(ctx, console.CommandEffects)
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
