package upload

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// disk is a host without SFTP whose line may change what it carries.
type disk struct {
	files map[string]string
	spoil func(string) string
}

func (d *disk) Client() *ssh.Client { return nil }

func (d *disk) Run(_ context.Context, command string, stdin io.Reader) ([]byte, error) {
	words := strings.Fields(command)
	switch words[0] {
	case "dd":
		data, err := io.ReadAll(stdin)
		d.files[strings.TrimPrefix(words[2], "of=")] = d.spoil(string(data))
		return nil, err
	case "sha256sum":
		return []byte(Sum([]byte(d.files[words[1]])) + "  " + words[1] + "\n"), nil
	case "chmod":
		return nil, nil
	case "mv":
		d.files[words[3]] = d.files[words[2]]
		delete(d.files, words[2])
		return nil, nil
	}
	return nil, errors.New("unknown command")
}

func TestToLeavesTheOldFileWhenTheNewOneIsSpoilt(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(string) string
		ok    bool
	}{
		"whole":     {func(s string) string { return s }, true},
		"truncated": {func(s string) string { return s[:2] }, false},
		"changed":   {func(s string) string { return strings.ToUpper(s) }, false},
		"empty":     {func(string) string { return "" }, false},
	} {
		d := &disk{files: map[string]string{"d/rp-agent": "old"}, spoil: c.spoil}
		via, err := To(t.Context(), d, "d/rp-agent", []byte("new"))
		switch {
		case c.ok && (err != nil || via != "exec" || d.files["d/rp-agent"] != "new"):
			t.Errorf("%s: %v, %v", name, err, d.files)
		case !c.ok && (err == nil || d.files["d/rp-agent"] != "old"):
			t.Errorf("%s: %v, %v", name, err, d.files)
		}
	}
}

func TestToTakesPlainNamesOnly(t *testing.T) {
	for _, path := range []string{"", "a b", "a;b", "$(id)", "-rf", "a\nb"} {
		if _, err := To(t.Context(), &disk{}, path, nil); err == nil {
			t.Errorf("%q was taken", path)
		}
	}
}
