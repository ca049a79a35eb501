package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/secret"
)

// maxOutput is how much of git's answer is kept, in bytes: some names of a status, the end of an error.
const maxOutput = 64 << 10

// gitEnv makes answers fit for reading by a program. Locks that only speed git up are left alone,
// so that a check changes nothing.
var gitEnv = []string{"LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_PAGER=cat"}

// hookVariables are set inside git hooks and would send git to another repository than Dir's.
var hookVariables = []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"}

// git asks git and gives its answer without the last newline.
func (t *Tree) git(ctx context.Context, args ...string) (string, error) {
	var out, errs bounded
	err := t.run(ctx, &out, &errs, args...)
	if err != nil {
		return "", &gitError{err: err, said: errs.last()}
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

// gitAloud runs a git command whose progress the person should see. It is one
// stream, so that its lines keep their order.
func (t *Tree) gitAloud(ctx context.Context, args ...string) error {
	var said bounded
	out := io.Writer(&said)
	if t.Output != nil {
		out = io.MultiWriter(t.Output, &said)
	}
	if err := t.run(ctx, out, out, args...); err != nil {
		return &gitError{err: err, said: said.last()}
	}
	return nil
}

func (t *Tree) run(ctx context.Context, out, errs io.Writer, args ...string) error {
	return Run(ctx, append([]string{"git"}, args...), Options{
		Dir: t.Dir, Env: gitEnv, Without: hookVariables, Stdin: t.Stdin, Stdout: out, Stderr: errs, Hurry: t.Hurry,
	})
}

// gitError is a git command that failed, with the last line of what it said.
type gitError struct {
	err  error
	said string
}

func (e *gitError) Error() string {
	if e.said != "" {
		return e.said
	}
	return e.err.Error()
}

func (e *gitError) Unwrap() error { return e.err }

// failed makes an exit.Error of a failed git command. What never ran, or was
// interrupted, keeps its own error.
func failed(code exit.Code, what string, err error, next string) error {
	var known *exit.Error
	var ran *gitError
	if errors.As(err, &known) && (known.Code == exit.Interrupted || !errors.As(err, &ran) || ran.said == "") {
		return known
	}
	failure := &exit.Error{Code: code, Message: what + ": " + printable.Line(err.Error()), Next: next, Err: err}
	if locked := leftLock.FindStringSubmatch(failure.Message); locked != nil {
		failure.Message = strings.TrimSuffix(failure.Message, ".") + "; another git works there, or died and left it"
		failure.Next = "ls -l " + exit.Word(locked[1]) // since when: the same git command would fail the same way
	}
	return failure
}

// leftLock is what git says of a lock file that is there already.
var leftLock = regexp.MustCompile(`Unable to create '(.+\.lock)': File exists`)

// bounded keeps the last maxOutput bytes that were written.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	n := len(p)
	if n > maxOutput {
		p = p[n-maxOutput:]
	}
	b.Buffer.Write(p)
	if b.Len() > 2*maxOutput {
		b.Next(b.Len() - maxOutput)
	}
	return n, nil
}

// last is what git gave for a reason: the line with "fatal:" or "error:", or the last one.
func (b *bounded) last() string {
	var last string
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSpace(line)
		for _, prefix := range []string{"fatal: ", "error: "} {
			if reason, ok := strings.CutPrefix(line, prefix); ok {
				return printable.Excerpt(secret.Mask(reason), 300)
			}
		}
		if line != "" {
			last = line
		}
	}
	return printable.Excerpt(secret.Mask(last), 300)
}
