//go:build !linux

package e2e_test

import "github.com/rogpeppe/go-internal/testscript"

func fullDisk(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("no disk can be mounted here")
}
