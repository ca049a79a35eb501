package lab

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// unmountBelow unmounts what a test that was killed has left mounted below a folder: what lies
// there is not the lab's to remove.
func unmountBelow(ctx context.Context, dir string) error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("cannot read what is mounted: %w", err)
	}
	var points []string
	for line := range strings.Lines(string(text)) {
		// See proc(5); the paths of a lab have no character that is written otherwise there.
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	for _, point := range slices.Backward(points) {
		if err := command(ctx, "umount", point); err != nil {
			return err
		}
	}
	return nil
}
