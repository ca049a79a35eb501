package migration

import (
	"testing"
)

const why = "people sleep outside"

func breaking(more ...string) []string {
	return append([]string{"--break-glass", why}, append(more, applying...)...)
}

// glassHolds: where the host's file does not allow it, nobody breaks the glass.
func glassHolds(t *testing.T, s *stage) {
	plan := s.anew(t, "glass")
	s.Rpctl(t, 4, migrateArgs(plan, "preprod", breaking()...)...).Failure(t, "refused", "break-glass is not allowed by this host's agent.toml")
	s.movesOf(t, 0, 0)
}
