package console

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestSeedFileIsTheRunbook: what the PHP console reads is written from Runbook (UPDATE=1 go test).
func TestSeedFileIsTheRunbook(t *testing.T) {
	seedFile := filepath.Join(phpApplication(), "seed.json")
	want := encodeSeed(t, Runbook())
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(seedFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(seedFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what Runbook says: UPDATE=1 go test ./lab/app/console", seedFile)
	}
}

// encodeSeed writes one person a line, so that a change can be reviewed.
func encodeSeed(t *testing.T, seed Seed) []byte {
	t.Helper()
	data, err := json.Marshal(seed)
	if err != nil {
		t.Fatal(err)
	}
	for _, start := range []string{`{"id":`, `],"`} {
		data = bytes.ReplaceAll(data, []byte(start), []byte("\n"+start))
	}
	return append(data, '\n')
}
