package powercut

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDiskFails lets each call of a scene fail of each trouble: the scene returns what the disk says, and
// goes on from nothing that failed.
func TestDiskFails(t *testing.T) {
	if !CanFail {
		t.Skip("no system call can be made to fail on this architecture")
	}
	strikes, told := stage.Strikes(t, "careful", before(t))
	if !slices.Equal(told, []string{"after"}) {
		t.Errorf("told %q", told)
	}
	var names []string
	for _, strike := range strikes {
		if !strike.Stays {
			names = append(names, fmt.Sprintf("%s: %s", strike.Trouble, strike.Name))
		}
		root := before(t)
		out := stage.Fail(t, "careful", root, strike)
		data, err := os.ReadFile(filepath.Join(root, "file"))
		must(t, err)
		want := "before"
		if strike.Call == 5 {
			want = "after" // it has its name, and nobody knows whether the disk has it
		}
		if string(data) != want || len(out.Told) > 0 || len(out.Errs) != 1 || !strings.Contains(out.Errs[0], strike.Trouble.Says()) || len(out.Failed) != 1 {
			t.Errorf("%s: the file has %q; %+v", strike, data, out)
		}
	}
	want := strings.Split("full: open new|out of inodes: open new|over quota: open new|read-only: open new|failing: open new|"+
		"full: write new|filling up: write new|over quota: write new|read-only: write new|failing: write new|"+
		"full: fsync new|over quota: fsync new|read-only: fsync new|failing: fsync new|"+
		"full: rename new → file|over quota: rename new → file|read-only: rename new → file|failing: rename new → file|"+
		"full: fsync .|over quota: fsync .|read-only: fsync .|failing: fsync .", "|")
	if !slices.Equal(names, want) {
		t.Errorf("strikes %q", names)
	}
}

// TestHalfAWrite: a disk that fills up has room for a part of a write.
func TestHalfAWrite(t *testing.T) {
	if !CanFail {
		t.Skip("no system call can be made to fail on this architecture")
	}
	root := before(t)
	stage.Fail(t, "careful", root, Strike{Call: 1, Trouble: Filling})
	if data, err := os.ReadFile(filepath.Join(root, "new")); err != nil || string(data) != "af" {
		t.Errorf("%q, %v", data, err)
	}
}

// TestDeafToTheDisk: a scene that does not listen to fsync promises what is not on the disk.
func TestDeafToTheDisk(t *testing.T) {
	if !CanFail {
		t.Skip("no system call can be made to fail on this architecture")
	}
	strikes, _ := stage.Strikes(t, "deaf", before(t))
	for _, strike := range strikes {
		if strike.Trouble != Failing || strike.Stays || !strings.HasPrefix(strike.Name, "fsync") {
			continue
		}
		out := stage.Fail(t, "deaf", before(t), strike)
		if len(out.Failed) != 1 || len(out.Errs) > 0 || len(out.Problems) != 1 {
			t.Errorf("%s: %+v", strike, out)
		}
	}
}

// TestAskedAgain: the disk is well after one call, or fails on.
func TestAskedAgain(t *testing.T) {
	if !CanFail {
		t.Skip("no system call can be made to fail on this architecture")
	}
	out := stage.Fail(t, "careful", before(t), Strike{Call: 3, Trouble: Failing, Again: true})
	if len(out.Errs) != 1 || !slices.Equal(out.Told, []string{"after"}) || !slices.Equal(out.Failed, []string{"fsync new"}) {
		t.Errorf("%+v", out)
	}
	out = stage.Fail(t, "careful", before(t), Strike{Call: 3, Trouble: Failing, Stays: true, Again: true})
	if len(out.Errs) != 2 || len(out.Told) > 0 || !slices.Equal(out.Failed, []string{"fsync new", "open new"}) {
		t.Errorf("%+v", out)
	}
	spared := Stage{Test: stage.Test, Spared: func(path string) bool { return path == "new" }}
	out = spared.Fail(t, "careful", before(t), Strike{Call: 1, Trouble: Failing})
	if !slices.Equal(out.Failed, []string{"fsync ."}) {
		t.Errorf("%+v", out)
	}
}
