package embedded

import (
	"context"
	"fmt"
	"io"
)

// agent is `rp-agent WORDS`.
func (h *Host) agent(ctx context.Context, words []string, caller Caller, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(words) == 1 && words[0] == "rpc" {
		return h.bridge(ctx, caller, stdin, stdout, stderr)
	}
	fmt.Fprintln(stderr, "rp-agent: only rpc is known here")
	return 2
}
