package audit

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

// /dev/full answers every write with ENOSPC: a full disk that needs no mount.
func TestFullDisk(t *testing.T) {
	log := testLog(t)
	log.open = func(string, int) (*os.File, error) { return os.OpenFile("/dev/full", os.O_RDWR, 0) }
	_, err := log.Append(entry(ActionLease))
	var refusal *proto.Error
	if !errors.As(err, &refusal) || refusal.Code != proto.CodeStorage || !strings.Contains(string(refusal.Message), "no space left") {
		t.Errorf("Append = %v, want storage", err)
	}
}
