package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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
var hookVariables = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE",
	"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH",
}

// noPrograms keeps git from running programs that the branch which is checked out may hold: hooks (core.hooksPath
// is often a folder of the work tree) and a monitor of files. A bare repository within the work tree is not believed.
var noPrograms = []string{"-c", "core.hooksPath=" + os.DevNull, "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit"}

// git asks git and gives its answer without the last newline.
func (t *Tree) git(ctx context.Context, args ...string) (string, error) {
	var out, errs bounded
	err := t.run(ctx, nil, &out, &errs, args...)
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
	if err := t.run(ctx, t.Stdin, out, out, args...); err != nil {
		return &gitError{err: err, said: said.last()}
	}
	return nil
}

func (t *Tree) run(ctx context.Context, in io.Reader, out, errs io.Writer, args ...string) error {
	path := pathOutside(os.Getenv("PATH"), t.Dir, os.Getenv("HOME"))
	program, err := lookIn(path, "git")
	if err != nil {
		return notStarted([]string{"git"}, t.Dir, err)
	}
	return Run(ctx, slices.Concat([]string{program}, noPrograms, args), Options{
		Dir: t.Dir, Env: append([]string{"PATH=" + path}, gitEnv...), Without: append([]string{"PATH"}, hookVariables...), typed: append([]string{"git"}, args...), Stdin: in, Stdout: out, Stderr: errs, Hurry: t.Hurry,
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

// pathOutside is PATH without what a branch could put a git or ssh into: relative folders, and those of the work tree.
// Where the work tree has home below it (dotfiles), the operator's own programs lie in it: then only what is below dir counts.
func pathOutside(path, dir, home string) string {
	tree, inTree := workTreeOf(dir)
	if inTree && holds(tree, home) {
		tree, inTree = realPath(dir), !holds(dir, home)
	}
	return strings.Join(slices.DeleteFunc(filepath.SplitList(path), func(folder string) bool {
		if !filepath.IsAbs(folder) {
			return true
		}
		return inTree && holds(tree, folder)
	}), string(filepath.ListSeparator))
}

// holds says that path is folder or lies below it, without links. A path that is not absolute lies nowhere.
func holds(folder, path string) bool {
	folder, path = realPath(folder), filepath.Clean(realPath(path))
	return filepath.IsAbs(path) && (path == folder || strings.HasPrefix(path, folder+"/"))
}

// realPath is a path without links, as far as it exists.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return path
}

// workTreeOf is the folder with .git at or above dir, without links.
func workTreeOf(dir string) (root string, found bool) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", false
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for root = dir; root != filepath.Dir(root); root = filepath.Dir(root) {
		if _, err := os.Lstat(filepath.Join(root, ".git")); err == nil {
			return root, true
		}
	}
	return "", false
}

// lookIn finds a program in the folders of path.
func lookIn(path, name string) (string, error) {
	for _, folder := range filepath.SplitList(path) {
		if found, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return found, nil
		}
	}
	return "", exec.ErrNotFound
}
