package console

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// free is a disk with so many MiB left.
func free(mib uint64) Disk { return func(string) (uint64, error) { return mib << 20, nil } }

// print makes an output of so many MiB, which takes no room, and its end.
func (f Folders) print(t *testing.T, id ID, mib int64, last time.Time, ended bool) {
	t.Helper()
	if err := os.WriteFile(f.Stdout(id), nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Truncate(f.Stdout(id), mib<<20), os.Chtimes(f.Stdout(id), last, last)); err != nil {
		t.Fatal(err)
	}
	if ended {
		if err := f.WriteEnd(id, End{Result: "success", Code: "exited", Status: "0", Time: last}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSimulationsLeaveAReserve of the disk: with each that runs, more must be free. An apply wants less than the reserve.
func TestSimulationsLeaveAReserve(t *testing.T) {
	f := folders(t)
	for _, c := range []struct {
		mib     uint64
		running int
		printed int64
		says    string
	}{
		{1024, 1, 0, ""}, {1023, 1, 0, "1023 MiB of the disk are free, and it wants 1024 MiB"}, {2000, 4, 0, "it wants 2560 MiB"},
		{2560, 4, 0, ""}, {0, 1, 0, "0 MiB"}, {9000, 1, 2 << 30, "have printed 2048 MiB"},
	} {
		err := f.RoomForDryRun(free(c.mib), c.running, c.printed)
		var refused *proto.Error
		if c.says == "" && err != nil || c.says != "" && (!errors.As(err, &refused) || refused.Code != proto.CodeLimit || refused.Advice.Code == "" || !strings.Contains(string(refused.Message), c.says)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := f.RoomForApply(free(reserve>>20 - 1)); err != nil {
		t.Errorf("an apply after simulations: %v", err)
	}
	if err := f.RoomForApply(free(10)); err == nil {
		t.Error("an apply on a full disk is admitted")
	}
	broken := func(string) (uint64, error) { return 0, os.ErrPermission }
	if err := f.RoomForDryRun(broken, 1, 0); err == nil {
		t.Error("a disk that cannot be asked is taken for an empty one")
	}
}

// TestOutputInAllIsLimited: the oldest dry runs go first; what ran for real, what has not ended and what is read now stay.
// The output of real runs, which is never pruned for its size, does not count: it must not keep simulations from running.
func TestOutputInAllIsLimited(t *testing.T) {
	f, now := folders(t), time.Now()
	day := func(n int) time.Time { return now.AddDate(0, 0, -n) }
	real, oldest, older, running, fresh := NewID("testjob1", 1), NewDryID("testjob1", 0), NewDryID("testjob2", 0), NewDryID("testjob3", 0), NewDryID("testjob4", 0)
	f.print(t, real, 4000, day(9), true)
	f.print(t, oldest, 1900, day(8), true)
	f.print(t, running, 500, day(7), false)
	f.print(t, older, 300, day(6), true)
	f.print(t, fresh, 500, now, true)
	if err := f.RoomForDryRun(free(9000), 1, 0); err == nil || !strings.Contains(err.Error(), "takes 3200 MiB of at most 3072 MiB") {
		t.Errorf("%v", err)
	}
	if err := f.PruneOutput(now); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[ID]bool{real: true, oldest: false, older: true, running: true, fresh: true} {
		if _, err := os.Stat(f.Stdout(id)); (err == nil) != want {
			t.Errorf("%s: %v, want there %t", id, err, want)
		}
	}
	if used, err := f.Used(oldest); !used || err != nil {
		t.Errorf("the id of a pruned output may be taken again: %v", err)
	}
	if err := f.RoomForDryRun(free(9000), 1, 0); err != nil {
		t.Errorf("after pruning: %v", err)
	}
}

// TestPruningTouchesNothingElse that stands in the folder.
func TestPruningTouchesNothingElse(t *testing.T) {
	f, long := folders(t), time.Now().AddDate(-1, 0, 0)
	for _, name := range []string{"dryrun.out", "dryrun-x.out", "notes"} {
		path := f.Output + "/" + name
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 2<<30), os.Chtimes(path, long, long)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.PruneOutput(time.Now()); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(f.Output); err != nil || len(left) != 3 {
		t.Errorf("%v, %v", left, err)
	}
}
