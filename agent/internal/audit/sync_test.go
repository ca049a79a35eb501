package audit

import (
	"errors"
	"os"
	"testing"
)

// TestWhatDidNotReachTheDiskIsTakenBack: fsync(2) tells an error once. A later one that succeeds says nothing of these
// bytes, and an entry that was refused must not be read as one, with its second try after it.
func TestWhatDidNotReachTheDiskIsTakenBack(t *testing.T) {
	for name, before := range map[string]string{"new": "", "whole": "entries", "torn": "half an entry"} {
		for failing := 1; ; failing++ { // the how-manieth sync fails
			log := testLog(t)
			if before != "" {
				add(t, log, entry(ActionLease))
			}
			if name == "torn" {
				replace(t, log, read(t, log)+before)
			}
			text, syncs := "", 0
			log.sync = func(*os.File) error {
				syncs++
				if syncs != failing {
					text = read(t, log)
					return nil
				}
				return errors.New("input/output error")
			}
			if before != "" {
				text = read(t, log)
			}
			_, err := log.Append(entry(ActionLeaseEnd))
			if err == nil {
				break // it took fewer
			}
			if got := read(t, log); got != text {
				t.Errorf("%s, sync %d: %q is left, and what was on the disk is %q", name, failing, got, text)
			}
			next := add(t, log, entry(ActionLeaseEnd))
			if report := verify(t, log); !report.OK || report.Head != next.Hash {
				t.Errorf("%s, sync %d: %+v", name, failing, report)
			}
		}
	}
}
