//go:build !linux

package local

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"slices"
)

// marked is the command (0 when it has ended) and its descendants, as ps(1) tells: environments of other
// processes cannot be read here, so what lost its parent is not found.
func marked(command int, _ string) []int {
	if command == 0 {
		return nil
	}
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,stat=").Output()
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	alive := map[int]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var pid, parent int
		var state string
		if n, _ := fmt.Sscan(lines.Text(), &pid, &parent, &state); n == 3 && state[0] != 'Z' {
			children[parent] = append(children[parent], pid)
			alive[pid] = true
		}
	}
	var found []int
	if alive[command] {
		found = append(found, command)
	}
	for next := []int{command}; len(next) > 0; next = next[1:] {
		found = append(found, children[next[0]]...)
		next = append(next, children[next[0]]...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}
