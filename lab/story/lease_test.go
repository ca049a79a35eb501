package story

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab/labtest"
)

// paused is a stage whose deploy command of an environment waits until it is let go.
func (s *stage) paused(t *testing.T, env string) (*stage, func()) {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "go-on")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	// Open on both sides at once, so that the command's open does not wait for a writer.
	hold, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	let := func() { _ = hold.Close() }
	t.Cleanup(let)
	other := s.withInventory(t, func(toml string) string {
		return strings.Replace(toml, `deploy = ["make", "deploy-`+env+`"]`, `deploy = ["cat", "`+fifo+`"]`, 1)
	})
	return other, let
}

// atDeploy: the lease is held and the deploy command is about to run.
func atDeploy(e labtest.Event) bool { return e.Event == "step" && e.Step == "deploy" }

// twoDeploys: one wins, the other is told who, since when and for what; then the first ends well.
func twoDeploys(t *testing.T, s *stage) {
	s.commit(t, "dev", "change it again")
	waiting, let := s.paused(t, "preprod")
	first := waiting.Start(t, "deploy", "--env", "preprod")
	first.Until(t, atDeploy)
	second := s.Rpctl(t, 4, "deploy", "--env", "preprod")
	failure := second.Failure(t, "refused", "held by developer@", "login app", "for a deploy since", "rpctl status --env preprod")
	if holder := failure.Holder; holder == nil || holder.User != "app" || holder.Purpose != "deploy" {
		t.Errorf("the holder in JSON is %+v", holder)
	}
	if lease := s.status(t, 0, "preprod").Lease; lease == nil || lease.Purpose != "deploy" {
		t.Errorf("the status says of the lease %+v", lease)
	}
	let() // the command ends without having moved current
	out := first.Wait(t)
	out.Failure(t, "failed", "`current` did not move", "rpctl deploy --env preprod")
	if free := s.status(t, 0, "preprod").Lease; free != nil {
		t.Errorf("the lease is left: %+v", free)
	}
	proved(t, s.Rpctl(t, 0, "deploy", "--env", "preprod"), preprodUnits)
}

// holderKilled: the lease dies with its holder, at once.
func holderKilled(t *testing.T, s *stage) {
	waiting, _ := s.paused(t, "preprod")
	holder := waiting.Start(t, "deploy", "--env", "preprod")
	holder.Until(t, atDeploy)
	holder.Signal(t, os.Kill)
	holder.Wait(t)
	labtest.Eventually(t, 20*time.Second, func() error {
		if lease := s.status(t, 0, "preprod").Lease; lease != nil {
			return errors.New("the host is still held")
		}
		return nil
	})
	proved(t, s.Rpctl(t, 0, "restart", "--env", "preprod", "--only", "messenger_worker_dmp@*"), preprodUnits[2:3])
}

// silence is a holder that is alive, connected, and says nothing.
type silence struct {
	holder *labtest.Running
	since  time.Time
}

// holderFallsSilent stops a deploy of prod in its tracks, as a laptop that is closed.
// Preprod's chapters go on meanwhile, so it belongs to the suite and not to this chapter.
func holderFallsSilent(_ *testing.T, s *stage) {
	t := s.suite
	waiting, _ := s.paused(t, "prod")
	holder := waiting.Start(t, "deploy", "--env", "prod", "--yes")
	holder.Until(t, atDeploy)
	holder.Signal(t, syscall.SIGSTOP)
	s.silent = &silence{holder: holder, since: time.Now()}
	if lease := s.status(t, 0, "prod").Lease; lease == nil || lease.Purpose != "deploy" {
		t.Errorf("the status says of the lease %+v", lease)
	}
}

// silentHolderLost: whoever is silent for 30 s has lost the host, connected or not, and
// learns it when it wakes up.
func silentHolderLost(t *testing.T, s *stage) {
	labtest.Eventually(t, time.Until(s.silent.since.Add(2*time.Minute)), func() error {
		if lease := s.status(t, 0, "prod").Lease; lease != nil {
			return errors.New("the host is still held")
		}
		return nil
	})
	proved(t, s.Rpctl(t, 0, "restart", "--env", "prod", "--yes"), prodUnits)
	s.silent.holder.Signal(t, syscall.SIGCONT)
	s.silent.holder.Signal(t, os.Interrupt)
	if out := s.silent.holder.Wait(t); out.Exit == 0 {
		t.Errorf("it ended well without its lease:\n%s", out.Describe())
	}
}
