package jobs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"hash"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/proto"
)

func jsonLength(v any) (int, error) {
	data, err := json.Marshal(v)
	return len(data), err
}

// viewer keeps what it sees and checks that offsets have no holes.
type viewer struct {
	t      *testing.T
	at     map[string]int64
	sums   map[string]hash.Hash
	text   map[string]*bytes.Buffer // nil: not kept
	states []proto.JobState
	most   int
	seen   func(stream string, at int64)
	stop   int64 // after so many bytes of stdout it has had enough
}

var errEnough = errors.New("enough")

func newViewer(t *testing.T, keep bool) *viewer {
	v := &viewer{t: t, at: map[string]int64{}, sums: map[string]hash.Hash{}, text: map[string]*bytes.Buffer{}}
	for _, s := range []string{"stdout", "stderr"} {
		v.sums[s] = sha256.New()
		if keep {
			v.text[s] = &bytes.Buffer{}
		}
	}
	return v
}

func (v *viewer) Job(job proto.Job) error { v.states = append(v.states, job.State); return nil }

func (v *viewer) Output(stream string, offset int64, raw []byte) error {
	if offset != v.at[stream] {
		v.t.Errorf("%s: at %d came %d", stream, v.at[stream], offset)
	}
	v.at[stream] = offset + int64(len(raw))
	v.most = max(v.most, len(raw))
	v.sums[stream].Write(raw)
	if v.text[stream] != nil {
		v.text[stream].Write(raw)
	}
	if v.seen != nil {
		v.seen(stream, v.at[stream])
	}
	if v.stop > 0 && v.at["stdout"] >= v.stop {
		return errEnough
	}
	return nil
}

// odd is output as no text file has it: escapes, a progress bar, invalid UTF-8, NUL, no newline at the end.
const odd = "\x1b[32mok\x1b[0m\r 1/41 [>--]\r 41/41 [===]\xff\xfe\x00\r\n no end"

func TestFollowIsByteExact(t *testing.T) {
	h := jobstest.NewHost(t)
	h.Engine.Script = func(console.Spec) jobstest.Fault { return jobstest.Fault{Output: odd} }
	job := h.Do(proto.JobStartArgs{Kind: proto.KindSimulate, Plan: jobstest.Plan()})
	v := newViewer(t, true)
	got, err := h.Service.Follow(t.Context(), proto.JobFollowArgs{ID: job.ID, Wait: true}, v)
	if err != nil || got.State != proto.JobFailed || v.text["stdout"].String() != odd || got.Stdout != int64(len(odd)) {
		t.Errorf("%q, %v", v.text["stdout"], err)
	}
	for at := range int64(len(odd)) + 1 { // resumed to the byte
		v := newViewer(t, true)
		v.at["stdout"] = at
		if _, err := h.Service.Follow(t.Context(), proto.JobFollowArgs{ID: job.ID, Stdout: at}, v); err != nil || v.text["stdout"].String() != odd[at:] {
			t.Errorf("from %d: %q, %v", at, v.text["stdout"], err)
		}
	}
	if _, err := h.Service.Follow(t.Context(), proto.JobFollowArgs{ID: job.ID, Stdout: int64(len(odd)) + 1}, newViewer(t, false)); err == nil {
		t.Error("an offset past the end was taken")
	}
	if _, err := h.Service.Follow(t.Context(), proto.JobFollowArgs{ID: "nosuchjob"}, newViewer(t, false)); err == nil {
		t.Error("a job that is not there was followed")
	}
}

// TestFollowJoinsTheRuns: a job's stream is the output of its commands, one after the other, across
// all cuts a viewer may have.
func TestFollowJoinsTheRuns(t *testing.T) {
	h := jobstest.NewHost(t)
	h.Approve(jobstest.Plan())
	job := h.Do(proto.JobStartArgs{Kind: proto.KindApply, Plan: jobstest.Plan()})
	whole := newViewer(t, true)
	if _, err := h.Service.Follow(t.Context(), proto.JobFollowArgs{ID: job.ID}, whole); err != nil || whole.at["stdout"] != job.Stdout || job.Stdout == 0 {
		t.Fatalf("%d of %d, %v", whole.at["stdout"], job.Stdout, err)
	}
	for at := int64(0); at <= job.Stdout; at += 97 {
		v := newViewer(t, true)
		v.at["stdout"] = at
		if _, err := h.Service.Follow(t.Context(), proto.JobFollowArgs{ID: job.ID, Stdout: at}, v); err != nil || v.text["stdout"].String() != whole.text["stdout"].String()[at:] {
			t.Fatalf("from %d: %v", at, err)
		}
	}
}

// TestFollowOf100MB is a sparse file: byte-exact, in pieces, without holding it.
func TestFollowOf100MB(t *testing.T) {
	h := jobstest.NewHost(t)
	const size = 100 << 20
	job := h.Do(proto.JobStartArgs{Kind: proto.KindSimulate, Plan: jobstest.Plan()})
	record, err := h.Service.Jobs.Load(job.ID)
	if err != nil {
		t.Fatal(err)
	}
	path := h.Parts.Folders.Stdout(record.Runs[1].Console)
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	record.Runs[1].Stdout = size
	if err := h.Service.Jobs.Save(record); err != nil {
		t.Fatal(err)
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	before := memory.TotalAlloc
	v := newViewer(t, false)
	got, err := h.Service.Follow(t.Context(), proto.JobFollowArgs{ID: job.ID}, v)
	runtime.ReadMemStats(&memory)
	if err != nil || v.at["stdout"] != got.Stdout || got.Stdout < size || v.most > proto.MaxOutput {
		t.Errorf("%d of %d in pieces of %d, %v", v.at["stdout"], got.Stdout, v.most, err)
	}
	if used := memory.TotalAlloc - before; used > 4<<20 {
		t.Errorf("%d bytes were allocated", used)
	}
}

// TestFollowLive: a byte is seen within 100 ms, the end comes after the last byte, and a viewer that
// leaves disturbs nobody.
func TestFollowLive(t *testing.T) {
	const live = 100 * time.Millisecond
	h := jobstest.NewHost(t)
	first := true
	h.Engine.Script = func(console.Spec) jobstest.Fault {
		hang := first
		first = false
		return jobstest.Fault{Hang: hang}
	}
	id := h.NewID()
	if _, err := h.Start(proto.JobStartArgs{ID: id, Kind: proto.KindSimulate, Plan: jobstest.Plan()}); err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- h.Runner().Run(t.Context(), id) }()
	h.Until(func() bool { return h.Engine.Hanging() == 1 })

	seen := make(chan int64, 100)
	v := newViewer(t, true)
	v.seen = func(_ string, at int64) { seen <- at }
	followed := make(chan error, 1)
	go func() {
		_, err := h.Service.Follow(t.Context(), proto.JobFollowArgs{ID: id, Wait: true}, v)
		followed <- err
	}()
	at := <-seen
	record, err := h.Service.Jobs.Load(id)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(h.Parts.Folders.Stdout(record.Runs[0].Console), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var took []time.Duration
	for quick := 0; quick < 3; { // a machine that is busy or slow keeps many of them waiting
		written := time.Now()
		if _, err := file.WriteString("\xff"); err != nil {
			t.Fatal(err)
		}
		if now := <-seen; now != at+1 {
			t.Fatalf("after %d came %d", at, now)
		}
		at++
		if took = append(took, time.Since(written)); took[len(took)-1] <= live {
			quick++
		} else if len(took) >= 500 {
			t.Fatalf("bytes were seen after %v, want three within %v", took, live)
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, err := h.Service.Follow(ctx, proto.JobFollowArgs{ID: id, Wait: true}, newViewer(t, false)); !errors.Is(err, context.Canceled) {
		t.Errorf("a viewer that leaves: %v", err)
	}
	h.Engine.End(console.End{Result: "success", Code: "exited", Status: "0"})
	if err := errors.Join(<-ran, <-followed); err != nil {
		t.Fatal(err)
	}
	job := h.Job(id)
	if v.at["stdout"] != job.Stdout || v.states[len(v.states)-1] != proto.JobSucceeded && v.states[len(v.states)-1] != proto.JobFailed {
		t.Errorf("%d of %d, %v", v.at["stdout"], job.Stdout, v.states)
	}
}

// TestFollowShowsWhatACutOffRunPrinted: the host went down in the middle of a command, and what that
// had printed is on the disk. (Found by lab/chaos, "host rebooted".)
func TestFollowShowsWhatACutOffRunPrinted(t *testing.T) {
	h := jobstest.NewHost(t)
	h.Engine.Script = func(console.Spec) jobstest.Fault { return jobstest.Fault{Hang: true, Output: odd} }
	id := h.NewID()
	if _, err := h.Start(proto.JobStartArgs{ID: id, Kind: proto.KindSimulate, Plan: jobstest.Plan()}); err != nil {
		t.Fatal(err)
	}
	ctx, reboot := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- h.Runner().Run(ctx, id) }()
	h.Until(func() bool { return h.Engine.Hanging() == 1 })
	reboot()
	<-ran
	h.Engine.End(console.End{Result: "signal", Code: "killed", Status: "KILL"})
	h.Engine.SetAlive(id, false)
	v := newViewer(t, true)
	job, err := h.Service.Follow(t.Context(), proto.JobFollowArgs{ID: id, Wait: true}, v)
	if err != nil || job.State != proto.JobInterrupted || job.Stdout != int64(len(odd)) || v.text["stdout"].String() != odd {
		t.Errorf("%s, %d bytes: %q, %v", job.State, job.Stdout, v.text["stdout"], err)
	}
}

// TestFollowEndsWithItsSink: nothing is read for a viewer that has gone.
func TestFollowEndsWithItsSink(t *testing.T) {
	h := jobstest.NewHost(t)
	job := h.Do(proto.JobStartArgs{Kind: proto.KindSimulate, Plan: jobstest.Plan()})
	v := newViewer(t, false)
	v.stop = 1
	if _, err := h.Service.Follow(t.Context(), proto.JobFollowArgs{ID: job.ID}, v); !errors.Is(err, errEnough) {
		t.Error(err)
	}
}

// TestFollowPassesOverWhatWasPruned: the offsets of what is still there stay.
func TestFollowPassesOverWhatWasPruned(t *testing.T) {
	h := jobstest.NewHost(t)
	job := h.Do(proto.JobStartArgs{Kind: proto.KindSimulate, Plan: jobstest.Plan()})
	record, err := h.Service.Jobs.Load(job.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(h.Parts.Folders.Stdout(record.Runs[0].Console)); err != nil {
		t.Fatal(err)
	}
	v := newViewer(t, true)
	v.at["stdout"] = record.Runs[0].Stdout
	if _, err := h.Service.Follow(t.Context(), proto.JobFollowArgs{ID: job.ID}, v); err != nil || v.at["stdout"] != job.Stdout {
		t.Errorf("%d of %d, %v", v.at["stdout"], job.Stdout, err)
	}
}
