package systemd

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
)

func TestProcessorOfAControlGroup(t *testing.T) {
	const ms = time.Millisecond
	stat := "usage_usec 1500\nuser_usec 1000\n"
	pressure := "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n"
	for name, c := range map[string]struct {
		group          string
		stat, pressure string
		bus            time.Duration
		worked, waited time.Duration
	}{
		"all is reported":        {"/system.slice/w@1.service", stat, pressure, 7 * ms, 7 * ms, 2500 * time.Microsecond},
		"systemd does not count": {"/system.slice/w@1.service", stat, pressure, 0, 1500 * time.Microsecond, 2500 * time.Microsecond},
		"no pressure":            {"/system.slice/w@1.service", stat, "", 7 * ms, 7 * ms, 0},
		"nothing but the bus":    {"/system.slice/w@1.service", "", "", 7 * ms, 7 * ms, 0},
		"it does not run":        {"", stat, pressure, 0, 0, 0},
		"odd figures":            {"/system.slice/w@1.service", "usage_usec -5\n", pressure, 0, 0, 0},
		"huge figures":           {"/system.slice/w@1.service", "usage_usec 9223372036854775807\n", pressure, 0, 0, 0},
		"outside":                {"/../w@1.service", stat, pressure, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			roots := []string{t.TempDir(), t.TempDir()}
			folder := filepath.Join(roots[1], "system.slice/w@1.service")
			if err := os.MkdirAll(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			for file, content := range map[string]string{"cpu.stat": c.stat, "cpu.pressure": c.pressure} {
				if content != "" {
					if err := os.WriteFile(filepath.Join(folder, file), []byte(content), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := units.State{Worked: c.bus}
			applyProcessor(&got, variants(map[string]any{"ControlGroup": c.group}), roots)
			if got.Worked != c.worked || got.Waited != c.waited {
				t.Errorf("worked %s, waited %s", got.Worked, got.Waited)
			}
		})
	}
}
