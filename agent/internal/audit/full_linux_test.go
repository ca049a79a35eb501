package audit

import (
	"errors"
	"os"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

// /dev/full answers every write with ENOSPC: a full disk that needs no mount.
func TestFullDisk(t *testing.T) {
	log := testLog(t)
	if err := os.Symlink("/dev/full", log.path()); err != nil {
		t.Fatal(err)
	}
	_, err := log.Append(entry(ActionLease))
	var refusal *proto.Error
	if !errors.As(err, &refusal) || refusal.Code != proto.CodeStorage {
		t.Errorf("Append = %v, want storage", err)
	}
}
