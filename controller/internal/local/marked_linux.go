package local

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// marked is the processes of ours whose environment holds mark.
func marked(_ int, mark string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// what belongs to others cannot be read, nor could it be signalled
		environment, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err == nil && hasVariable(environment, mark) {
			found = append(found, pid)
		}
	}
	return found
}

// hasVariable says that one of the NUL-ended variables is mark.
func hasVariable(environment []byte, mark string) bool {
	for variable := range bytes.SplitSeq(environment, []byte{0}) {
		if string(variable) == mark {
			return true
		}
	}
	return false
}
