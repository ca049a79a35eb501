package doctor

import (
	"context"
	"fmt"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/proto"
)

// maxCopies is how many lines of the audit are looked for in the journal.
const maxCopies = 500

// auditCopies holds the audit against the copies of its lines in the journal, which user rp-agent cannot change.
func (e *examination) auditCopies(ctx context.Context) (string, error) {
	if _, err := e.installed(); err != nil {
		return "", err
	}
	copies, err := e.Installed.Copies(ctx)
	if err != nil {
		return "", err
	}
	compared, err := audit.New(e.State).Compare(copies)
	switch {
	case err != nil:
		return "", err
	case compared.Problem != "":
		return "", wrong(proto.Advice{Code: proto.AdviceHistory}, "the audit is not what was written to the journal: %s; where root has moved the file away, this passes after %d more entries", compared.Problem, maxCopies)
	case compared.Copies == 0:
		return "", &skip{"the journal has no line of the audit: an older rp-agent wrote it, or the journal is young"}
	}
	detail := fmt.Sprintf("the newest %d lines in the journal are in the audit", compared.Copies)
	if compared.Missing > 0 {
		detail += fmt.Sprintf("; %d entries since the first of them are not in the journal", compared.Missing)
	}
	return detail, nil
}
