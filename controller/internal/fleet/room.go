package fleet

import (
	"os"
	"runtime/debug"
)

const (
	// fewHosts are served within the memory that the program begins with (cmd/rpctl).
	fewHosts = 32
	// forMany is the memory, in bytes, above which garbage is collected eagerly. A thousand open
	// connections need 80 MB; left alone the collector would let them become 140.
	forMany = 100 << 20
	// usual is the collector's own measure, in percent.
	usual = 100
)

// makeRoom lets many connections have the memory that they need, where the program has set itself a
// lower limit. It never lowers one, and leaves alone what the environment says.
func makeRoom(hosts int) {
	if hosts <= fewHosts || os.Getenv("GOMEMLIMIT") != "" || os.Getenv("GOGC") != "" || debug.SetMemoryLimit(-1) >= forMany {
		return
	}
	debug.SetMemoryLimit(forMany)
	debug.SetGCPercent(usual)
}
