package exitcode

import (
	"testing"

	"github.com/re-connect/rpctl/proto"
)

func TestOf(t *testing.T) {
	for code, want := range map[proto.Code]Code{
		proto.CodeLeaseHeld:   Refused,
		proto.CodeGate:        Refused,
		proto.CodeLimit:       Refused,
		proto.CodeJob:         BadInput,
		proto.CodeUnsupported: NoAgent,
		proto.CodeNoUnits:     Failed,
		proto.CodeCancelled:   Interrupted,
		proto.CodePolkit:      HostFailed,
		"of a later agent":    HostFailed,
	} {
		if got := Of(code); got != want {
			t.Errorf("%s: exit code %d (%s), want %d", code, got, got, want)
		}
	}
}
