package powercut

import (
	"os"
	"testing"
)

const (
	sceneVariable = "POWERCUT_SCENE"
	rootVariable  = "POWERCUT_ROOT"
	// againVariable says that a scene that has failed is played once more in the same process.
	againVariable = "POWERCUT_AGAIN"
	// tellFD is where a scene makes its promises: /dev/null, the tracer reads the call.
	tellFD = 3
	// failedMark begins what is told of a scene that failed.
	failedMark = "\x00failed "
)

// Scene writes below root. It calls told once something is promised to last, with
// what: from then on no disk may be without it. It returns an error where the disk refuses, and ends the
// test (t.Fatal) where something is wrong with what it plays.
type Scene func(t *testing.T, root string, told func(what string)) error

// Act plays the scene that this process was started for, and says whether there was one. The test
// that Play and Kill name calls it first:
//
//	func TestScene(t *testing.T) { powercut.Act(t, scenes) }
func Act(t *testing.T, scenes map[string]Scene) bool {
	t.Helper()
	name := os.Getenv(sceneVariable)
	if name == "" {
		return false
	}
	scene, ok := scenes[name]
	if !ok {
		t.Fatalf("there is no scene %q", name)
	}
	promises := os.NewFile(tellFD, "promises")
	told := func(what string) {
		if _, err := promises.WriteString(what); err != nil {
			t.Fatal(err)
		}
	}
	err := scene(t, os.Getenv(rootVariable), told)
	if err != nil {
		told(failedMark + err.Error())
	}
	if err != nil && os.Getenv(againVariable) != "" {
		if err = scene(t, os.Getenv(rootVariable), told); err != nil {
			told(failedMark + err.Error())
		}
	}
	return true
}

// Stage is where scenes are played.
type Stage struct {
	// Test is the name of the test that calls Act.
	Test string
	// Passing says which files need not be on a disk when something is told: a lock is
	// the kernel's, not the file's. Nil is none.
	Passing func(path string) bool
	// Torn says of which files every byte of a cut-off write is tried; of others a few. Nil is none.
	Torn func(path string) bool
	// Spared says which files lie on another disk, which does not fail. Nil is none.
	Spared func(path string) bool
}
