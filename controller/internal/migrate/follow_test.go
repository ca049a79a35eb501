package migrate

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

const jobID = proto.JobID("abcdefgh12345678")

func (d *desk) attach(ctx context.Context, from From) error {
	return Attach(ctx, d.world, d.options.Environment, jobID, from)
}

// TestFollowResumesToTheByte cuts the line at random places, with hosts that are down in between.
func TestFollowResumesToTheByte(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t)
			d.world.Now = time.Now
			h := d.hosts["pp1"]
			random := rand.New(rand.NewPCG(seed, 0))
			for range 500 {
				h.stdout = append(h.stdout, byte(random.UintN(256)))
			}
			h.cut = func() int {
				if random.IntN(10) == 0 {
					return -1
				}
				h.down = random.IntN(3)
				return random.IntN(200)
			}
			if err := d.attach(t.Context(), From{}); err != nil {
				t.Fatal(seed, err)
			}
			if !bytes.Equal(d.console[proto.Stdout].Bytes(), h.stdout) {
				t.Errorf("seed %d: %d bytes of %d, or others", seed, d.console[proto.Stdout].Len(), len(h.stdout))
			}
			if jobs := d.of(event.Job); len(jobs) != 2 {
				t.Errorf("seed %d: the job was told %d times", seed, len(jobs))
			}
		})
	}
}

func TestFollowGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.world.Now = time.Now
		h := d.hosts["pp1"]
		h.stdout = []byte("0123456789abcdefgh")
		h.cut = func() int { h.down = 1 << 20; return 14 }
		began := time.Now()
		check(t, d.attach(t.Context(), From{}), exit.Unreachable, "its outcome is unknown", "rpctl attach "+string(jobID)+" --env preprod --from 14,0")
		if took := time.Since(began); took > giveUpAfter || took < giveUpAfter-longestWait {
			t.Errorf("gave up after %s", took)
		}
		if warnings := d.of(event.Warning); len(warnings) < 10 || !strings.Contains(warnings[0].Text, "trying again in 1s") {
			t.Errorf("warned %d times", len(warnings))
		}
	})
}

// TestFirstFailureIsTold: what never worked is not tried again.
func TestFirstFailureIsTold(t *testing.T) {
	d := newDesk(t)
	d.hosts["pp1"].down = 1
	check(t, d.attach(t.Context(), From{}), exit.Unreachable, "no answer", "")
	d.hosts["pp1"].refuse[proto.OpJobFollow] = &proto.Error{Code: proto.CodeJob, Message: "no such job"}
	check(t, d.attach(t.Context(), From{}), exit.BadInput, "no such job", "")
}

func TestAttachFrom(t *testing.T) {
	d := newDesk(t)
	h := d.hosts["pp1"]
	h.stdout = []byte("0123456789")
	if err := d.attach(t.Context(), From{End: true}); err != nil || d.console[proto.Stdout].Len() > 0 {
		t.Errorf("%v, shown %q", err, d.console[proto.Stdout])
	}
	if h.follows[0].Stdout != 10 {
		t.Errorf("followed from %d", h.follows[0].Stdout)
	}
	for word, want := range map[string]From{"start": {}, "end": {End: true}, "12": {Stdout: 12}, "12,3": {Stdout: 12, Stderr: 3}} {
		if got, err := ParseFrom(word); err != nil || got != want {
			t.Errorf("%s: %+v, %v", word, got, err)
		}
	}
	for _, word := range []string{"", "-1", "1,", "1,2,3", "0x10", "9223372036854775808", "+1", " 1"} {
		_, err := ParseFrom(word)
		check(t, err, exit.BadInput, "bad --from", "")
	}
}

func FuzzParseFrom(f *testing.F) {
	f.Add("12,3")
	f.Add("end")
	f.Fuzz(func(t *testing.T, word string) {
		if from, err := ParseFrom(word); err == nil && (from.Stdout < 0 || from.Stderr < 0) {
			t.Errorf("%q is %+v", word, from)
		}
	})
}

// TestGapIsTold: a host that has pruned what was asked for does not make the viewer guess.
func TestGapIsTold(t *testing.T) {
	d := newDesk(t)
	f := &follower{World: d.world, at: map[string]int64{proto.Stdout: 0}, patience: newPatience(d.world.Now)}
	d.console[proto.Stdout].WriteString("12345")
	f.hear(proto.Event{Event: proto.EventOutput, Output: &proto.Output{Stream: proto.Stdout, Offset: 5, Length: 1, Raw: []byte("x")}})
	if warnings := d.of(event.Warning); len(warnings) != 1 || warnings[0].Text != "bytes 0 to 4 of stdout are gone on the host" || f.at[proto.Stdout] != 6 {
		t.Errorf("%+v, at %d", warnings, f.at[proto.Stdout])
	}
}

// TestCtrlC plays the operator's answers; the job is never touched but by "c".
func TestCtrlC(t *testing.T) {
	for name, c := range map[string]struct {
		answers  []string
		terminal bool
		detached bool
		cancels  int
	}{
		"no terminal":         {detached: true},
		"detach":              {answers: []string{"d"}, terminal: true, detached: true},
		"a word that is none": {answers: []string{"what", "D"}, terminal: true, detached: true},
		"terminal gone":       {terminal: true, detached: true},
		"cancel":              {answers: []string{"c"}, terminal: true, cancels: 1},
		"go on":               {answers: []string{" g "}, terminal: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				h := d.hosts["pp1"]
				h.stdout, h.hold = []byte("1234567"), make(chan struct{})
				interrupts := make(chan struct{})
				d.world.Interrupts = func() (<-chan struct{}, func()) { return interrupts, func() {} }
				d.answers = c.answers
				if !c.terminal {
					d.world.Confirm = nil
				}
				ended := make(chan error, 1)
				go func() { ended <- d.attach(t.Context(), From{}) }()
				interrupts <- struct{}{}
				synctest.Wait()
				close(h.hold)
				err := <-ended
				if c.detached {
					check(t, err, exit.Interrupted, "detached: job "+string(jobID)+" goes on", "rpctl attach "+string(jobID)+" --env preprod --from ")
				} else if err != nil {
					t.Error(err)
				}
				if len(h.cancels) != c.cancels || c.cancels > 0 && h.cancels[0].Now {
					t.Errorf("cancelled: %+v", h.cancels)
				}
			})
		})
	}
}

// TestEndOfContextDetaches: a closed terminal (SIGHUP) cannot be asked.
func TestEndOfContextDetaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.hosts["pp1"].hold = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.attach(ctx, From{}) }()
		synctest.Wait()
		cancel()
		check(t, <-ended, exit.Interrupted, "goes on", "rpctl attach")
		if len(d.hosts["pp1"].cancels) > 0 {
			t.Error("the job was cancelled")
		}
	})
}

// broken is a terminal that is gone.
type broken struct{}

func (broken) Print(string, int64, []byte) error { return errors.New("broken pipe") }
func (broken) End()                              {}

func TestOutputThatCannotBeShownEndsTheViewer(t *testing.T) {
	d := newDesk(t)
	d.world.Console = broken{}
	d.hosts["pp1"].stdout = []byte("12345678901234567890")
	check(t, d.attach(t.Context(), From{}), exit.LocalFailed, "broken pipe", "rpctl attach")
}

func TestCancelAndJobs(t *testing.T) {
	d := newDesk(t)
	if err := Cancel(t.Context(), d.world, d.options.Environment, jobID, true); err != nil {
		t.Fatal(err)
	}
	if h := d.hosts["pp1"]; len(h.cancels) != 1 || !h.cancels[0].Now || h.cancels[0].ID != jobID {
		t.Errorf("%+v", h.cancels)
	}
	if jobs := d.of(event.Job); len(jobs) != 1 || !strings.HasPrefix(jobs[0].Next, "rpctl attach") {
		t.Errorf("%+v", jobs)
	}
	to, jobs, err := Jobs(t.Context(), d.world, d.options.Environment, 5)
	if err != nil || to.Host != "pp1" || len(jobs) != 1 {
		t.Errorf("%v %+v %v", to, jobs, err)
	}
	for _, word := range []string{"", "short", "UPPERCASE", "../../etc/x"} {
		_, err := CheckID(word, "preprod")
		check(t, err, exit.BadInput, "no job's id", "rpctl jobs --env preprod")
	}
}

// TestFollowerIsToldHowAJobIsStopped: once for each wish, and once more where the second is to stop at once.
func TestFollowerIsToldHowAJobIsStopped(t *testing.T) {
	d, _ := applying(t, "preprod")
	saw := tracker{world: d.world, state: proto.JobRunning}
	job := proto.Job{State: proto.JobRunning}
	for range 2 {
		saw.job(job)
	}
	job.CancelAsked = true
	for range 2 {
		saw.job(job)
	}
	job.CancelNow = true
	for range 2 {
		saw.job(job)
	}
	if told := d.of(event.Job); len(told) != 2 || told[0].Job.CancelNow || !told[1].Job.CancelNow {
		t.Errorf("%+v", told)
	}
}
