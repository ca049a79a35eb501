package runner

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/secret"
)

// maxWords is how much of an output's end goes into an error, in bytes, and maxLook how much of it is read: what
// is a secret can be told by what stands before it only.
const (
	maxWords = 300
	maxLook  = 8 << 10
)

// lastWords is the end of what the command said, its errors first. It is shown to people and kept with the job, so
// what looks like a secret is left out: a console that fails prints its configuration. The output itself has all.
func (w *work) lastWords(out outcome) string {
	for _, path := range []string{w.Folders.Stderr(out.run.Console), w.Folders.Stdout(out.run.Console)} {
		if words := withoutUsage(bytes.TrimSpace(tail(path, maxLook))); len(words) > 0 {
			said := secret.Mask(string(words))
			said = strings.ToValidUTF8(said[max(0, len(said)-maxWords):], "")
			return "; its output ends with: “" + printable.Line(said) + "”"
		}
	}
	return "; it printed nothing"
}

// usage is how a command is typed, which Symfony's console prints after an exception's own words.
var usage = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\s*\n(?:\x1b\[[0-9;]*m)?[a-z0-9:_-]+ \[-[^\n]*$`)
})

// withoutUsage is what a command said without that: it is longer than what is shown, and says nothing of why.
func withoutUsage(said []byte) []byte { return usage().ReplaceAll(said, nil) }

// saidError is why something failed, and what the command said of it. People are shown both, the audit is told why
// alone: it is kept for ever, and people's names or a secret without a name may be among the words.
type saidError struct{ why, words string }

func (e *saidError) Error() string { return e.why + e.words }

// saidIn is the part of an error's text that is the command's own.
func saidIn(err error) string {
	var said *saidError
	if errors.As(err, &said) {
		return said.words
	}
	return ""
}

// tail is the last n bytes of a file, or nothing.
func tail(path string, n int64) []byte {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil
	}
	end := make([]byte, min(n, info.Size()))
	read, err := file.ReadAt(end, info.Size()-int64(len(end)))
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return end[:read]
}
