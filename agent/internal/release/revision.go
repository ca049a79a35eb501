package release

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

// revisionFile is where Deployer (recipe deploy:update_code) writes the commit of a release.
const revisionFile = "REVISION"

// revisionLimit is how much of the file is read, in bytes: a revision has at most 64.
const revisionLimit = 256

var revisionForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-zA-Z._/-]{1,64}$`) })

// revision is what the release says of itself; empty when it says nothing that can be shown.
func revision(root *os.Root, name string) string {
	path := filepath.Join(folder, name, revisionFile)
	info, err := root.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	// The owner may put a pipe there after the look above: it must not make us wait.
	file, err := root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer file.Close()
	if opened, err := file.Stat(); err != nil || !os.SameFile(info, opened) {
		return ""
	}
	content, err := io.ReadAll(io.LimitReader(file, revisionLimit))
	if err != nil {
		return ""
	}
	return parseRevision(content)
}

// parseRevision takes the first line, when it looks like a revision.
func parseRevision(content []byte) string {
	line, _, _ := strings.Cut(string(content), "\n")
	line = strings.TrimRight(line, " \t\r")
	if !revisionForm().MatchString(line) {
		return ""
	}
	return line
}
