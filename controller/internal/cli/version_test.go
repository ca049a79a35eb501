package cli

import (
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/version"
)

// TestVersionIsTheBuilds: the Makefile tells both binaries their version in one place.
func TestVersionIsTheBuilds(t *testing.T) {
	before := version.Version
	version.Version = "1.2.3"
	t.Cleanup(func() { version.Version = before })
	d := newDesk(t, "version")
	d.run(t, exit.OK)
	if !strings.HasPrefix(d.out.String(), "rpctl 1.2.3 (") {
		t.Errorf("got %s", &d.out)
	}
}
