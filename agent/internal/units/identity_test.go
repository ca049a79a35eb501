package units

import (
	"strings"
	"testing"
)

func TestCheckWorkerRefusesUnitsThatAreNotTheApplications(t *testing.T) {
	const unit = "w@1.service"
	for name, c := range map[string]struct {
		identity Identity
		says     string
	}{
		"the application's":        {Identity{Name: unit, User: "app"}, ""},
		"by number":                {Identity{Name: unit, User: "1000"}, ""},
		"with groups":              {Identity{Name: unit, User: "app", Groups: []string{"www-data", ""}}, ""},
		"root":                     {Identity{Name: unit}, "runs as root"},
		"another user":             {Identity{Name: unit, User: "www-data"}, "runs as www-data"},
		"a dynamic user":           {Identity{Name: unit, User: "app", Dynamic: true}, "made at each start"},
		"an alias":                 {Identity{Name: "systemd-logind.service", User: "app"}, "another name of systemd-logind.service"},
		"in the agent's own group": {Identity{Name: unit, User: "app", Groups: []string{"rpctl"}}, "runs in group rpctl"},
	} {
		err := c.identity.CheckWorker(unit, "app", "1000", "rpctl")
		if name == "root" && c.identity.CheckWorker(unit, "app", "", "rpctl") == nil {
			t.Error("root passes where the application's user has no known number")
		}
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}
