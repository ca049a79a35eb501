package audit

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

// disks appends an entry to a file that holds before, and gives every content that a power cut may
// leave meanwhile: of what was appended since the last sync any beginning, or zeros
// for its end; of a byte that was replaced the old or the new.
func disks(t *testing.T, before string, step int) []string {
	t.Helper()
	log := testLog(t)
	replace(t, log, before)
	all, synced := []string{before}, before
	log.sync = func(*os.File) error {
		now := read(t, log)
		if added, ok := strings.CutPrefix(now, synced); ok {
			for n := 0; n < len(added); n += step {
				all = append(all, synced+added[:n], synced+added[:n]+strings.Repeat("\x00", len(added)-n))
			}
			all = append(all, synced+added[:len(added)-1])
		}
		all, synced = append(all, now), now
		return nil
	}
	add(t, log, entry(ActionLeaseEnd))
	return all
}

// mustRecover says whether an audit that holds disk goes on, has the entries told, and (tamper)
// still shows a changed line.
func mustRecover(t *testing.T, disk string, tamper bool, told ...proto.AuditEntry) {
	t.Helper()
	log := testLog(t)
	log.sync = func(*os.File) error { return nil }
	replace(t, log, disk)
	first, err := log.Append(entry(ActionApprove))
	if err != nil {
		t.Fatalf("%q: %v", disk, err)
	}
	if report := verify(t, log); !report.OK || report.Head != first.Hash {
		t.Fatalf("%q: %+v", disk, report)
	}
	all, err := log.Last(99)
	if err != nil || len(all) < len(told)+1 {
		t.Fatalf("%q: %d entries, %v", disk, len(all), err)
	}
	for i, entry := range told {
		if all[i] != entry {
			t.Fatalf("%q: entry %d is %+v", disk, i, all[i])
		}
	}
	if !tamper {
		return
	}
	text := read(t, log)
	for start := 0; start < len(text); { // each line, torn ones too
		end := start + strings.IndexByte(text[start:], '\n')
		middle := (start + end) / 2
		replace(t, log, text[:middle]+string(text[middle]^1)+text[middle+1:])
		if verify(t, log).OK {
			t.Fatalf("%q: a change of byte %d of %q passes", disk, middle, text)
		}
		start = end + 1
	}
}

// TestPowerCutsInARow cuts off an entry (every third of the disks that this may leave), then what the next Append writes: after one of the first
// cuts at each byte, after the others at some; and after some of these once more.
func TestPowerCutsInARow(t *testing.T) {
	log := testLog(t)
	told := add(t, log, entry(ActionLease))
	first := disks(t, read(t, log), 1)
	var seconds, thirds []string
	for i, disk := range first {
		if i%3 != 0 && i != len(first)/3 {
			continue
		}
		step := 211
		if i == len(first)/3 {
			step = 1
		}
		seconds = append(seconds, disks(t, disk, step)...)
	}
	for i := 0; i < len(seconds); i += 300 {
		thirds = append(thirds, disks(t, seconds[i], 41)...)
	}
	for i, disk := range slices.Concat(seconds, thirds) {
		mustRecover(t, disk, i%50 == 0, told)
	}
	t.Logf("%d disks after one cut, %d after two, %d after three", len(first), len(seconds), len(thirds))
}
