package stateform

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/statefile"
	"github.com/re-connect/rpctl/internal/powercut"
)

// long are steps as a later agent might need them: one that splits a file, and one that takes the old one away.
var long = []step{
	steps[0],
	{what: "split names.json", do: func(folder string) error {
		var names []string
		if err := statefile.Read(filepath.Join(folder, "names.json"), 1, &names); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(folder, "names"), 0o700); err != nil {
			return err
		}
		for _, name := range names {
			if err := statefile.Write(filepath.Join(folder, "names", name+".json"), 1, name, 0o600); err != nil {
				return err
			}
		}
		return statefile.SyncFolder(folder)
	}},
	{what: "remove names.json", do: func(folder string) error {
		if err := os.Remove(filepath.Join(folder, "names.json")); err != nil && !os.IsNotExist(err) {
			return err
		}
		return statefile.SyncFolder(folder)
	}},
}

var stage = powercut.Stage{Test: "TestScene", Passing: func(path string) bool { return path == lockName }}

func TestScene(t *testing.T) {
	powercut.Act(t, map[string]powercut.Scene{"steps": func(t *testing.T, root string, told func(string)) error {
		err := bring(context.Background(), root, long)
		if err == nil {
			told("all steps")
		}
		return err
	}})
}

// TestStoppedAnywhere stops the steps at each system call that writes, by a kill and by a power cut:
// the next agent takes what is left, and nothing is lost.
func TestStoppedAnywhere(t *testing.T) {
	before := t.TempDir()
	if err := statefile.Write(filepath.Join(before, "names.json"), 1, []string{"alice", "bob"}, 0o600); err != nil {
		t.Fatal(err)
	}
	tree, err := powercut.Read(before)
	if err != nil {
		t.Fatal(err)
	}
	moments := stage.Play(t, "steps", before)
	for n, moment := range moments {
		for _, disk := range moment.Disks {
			root := t.TempDir()
			if err := disk.Tree.Restore(root); err != nil {
				t.Fatal(err)
			}
			if !complete(t, root, len(moment.Told) > 0) {
				t.Errorf("after a power cut before call %d (%s), with %s", n+1, moment.Call, disk.Name)
			}
		}
		root := t.TempDir()
		if err := tree.Restore(root); err != nil {
			t.Fatal(err)
		}
		told, _ := stage.Kill(t, "steps", root, n+1)
		if !complete(t, root, len(told) > 0) {
			t.Errorf("killed at call %d (%s)", n+1, moment.Call)
		}
	}
	if len(moments) < 25 {
		t.Errorf("only %d moments", len(moments))
	}
}

// TestEveryWriteFails lets the disk fail the steps at each system call that writes. An error says what the disk says
// and what to type; the same process, and the next one, take what is left once the disk is well.
func TestEveryWriteFails(t *testing.T) {
	if !powercut.CanFail {
		t.Skip("no system call can be made to fail on this architecture")
	}
	before := t.TempDir()
	if err := statefile.Write(filepath.Join(before, "names.json"), 1, []string{"alice", "bob"}, 0o600); err != nil {
		t.Fatal(err)
	}
	tree, err := powercut.Read(before)
	if err != nil {
		t.Fatal(err)
	}
	strikes, _ := stage.Strikes(t, "steps", before)
	step := 11 // troubles, and their two lengths, come in turn
	if os.Getenv("CRASH") == "all" {
		step = 1
	}
	for i := 0; i < len(strikes); i += step {
		strikes[i].Again = i%2 == 0
		failed(t, tree, strikes[i])
	}
	t.Logf("%d calls that write, %d ways to fail, each %d. tried", strikes[len(strikes)-1].Call, len(strikes), step)
}

func failed(t *testing.T, tree powercut.Tree, strike powercut.Strike) {
	t.Helper()
	root := t.TempDir()
	if err := tree.Restore(root); err != nil {
		t.Fatal(err)
	}
	out := stage.Fail(t, "steps", root, strike)
	for _, why := range out.Errs {
		if !strings.HasPrefix(why, "cannot use the state folder "+root) || !strings.Contains(why, strike.Trouble.Says()) || strings.Contains(why, "\n") {
			t.Errorf("%s: this says too little: %q", strike, why)
		}
	}
	done := len(out.Told) > 0
	if well := strike.Again && !strike.Stays; len(out.Problems) > 0 || !done && (len(out.Errs) == 0 || well) || !complete(t, root, done) {
		t.Errorf("%s: %+v", strike, out)
	}
}

// complete brings the folder to the end and says whether all is there, and nothing else.
func complete(t *testing.T, root string, told bool) bool {
	t.Helper()
	is, err := look(root, len(long))
	if err != nil || told && is.Number != len(long) {
		t.Errorf("form %d, told %v, %v", is.Number, told, err)
		return false
	}
	if err := bring(t.Context(), root, long); err != nil {
		t.Error(err)
		return false
	}
	tree, err := powercut.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	delete(tree, lockName)
	var names []string
	for path := range tree {
		names = append(names, path)
	}
	for _, want := range []string{"form.json", "names", "names/alice.json", "names/bob.json"} {
		if _, there := tree[want]; !there {
			t.Errorf("%s is not among %s", want, strings.Join(names, ", "))
			return false
		}
	}
	if len(tree) != 4 {
		t.Errorf("left: %s", strings.Join(names, ", "))
	}
	return len(tree) == 4
}
