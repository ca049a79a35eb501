package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// processorTime is how long the threads of a process have run, and how long they were ready to run and got no
// processor (Documentation/scheduler/sched-stats.rst of Linux); 0 where there is no such file.
func processorTime(pid int) (worked, waited time.Duration) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // it ended meanwhile
		}
		var ran, queued int64
		if n, _ := fmt.Sscan(string(text), &ran, &queued); n == 2 {
			worked += time.Duration(ran)
			waited += time.Duration(queued)
		}
	}
	return worked, waited
}
