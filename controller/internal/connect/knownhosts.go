package connect

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// knownHosts is a set of known_hosts files. original maps a copy that was made of a
// file (see readable) to the file.
type knownHosts struct {
	db       *knownhosts.HostKeyDB
	original map[string]string
}

// of is the parsed set of the files that exist.
func (c *knownHostsCache) of(files []string) (*knownHosts, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := strings.Join(files, "\x00")
	if set := c.sets[key]; set != nil {
		return set, nil
	}
	set, err := readKnownHosts(files)
	if err != nil {
		return nil, err
	}
	if c.sets == nil {
		c.sets = map[string]*knownHosts{}
	}
	c.sets[key] = set
	return set, nil
}

func readKnownHosts(files []string) (*knownHosts, error) {
	set := &knownHosts{original: map[string]string{}}
	var paths []string
	for _, file := range files {
		path, err := readable(file)
		if path != file {
			defer os.Remove(path)
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) { // ssh passes over both; an unknown key is refused
			continue
		}
		if err != nil {
			return nil, &failure{message: fmt.Sprintf("cannot read %s: %v", file, err), err: err}
		}
		set.original[path] = file
		paths = append(paths, path)
	}
	var err error
	if set.db, err = knownhosts.NewDB(paths...); err != nil {
		return nil, &failure{message: "cannot read the known host keys: " + safe(err.Error()), err: err}
	}
	return set, nil
}

// readable is a file that the parser takes whole. ssh passes over lines that it cannot read
// (a key type that it does not know, a slip of the hand) where the parser gives up the
// file, so such a file is copied with those lines left blank: line numbers stay.
func readable(file string) (string, error) {
	const most = 16 << 20
	info, err := os.Stat(file)
	if err != nil {
		return file, err
	}
	if !info.Mode().IsRegular() && info.Size() == 0 { // /dev/null, as for `UserKnownHostsFile /dev/null`
		return file, fs.ErrNotExist
	}
	if info.Size() > most {
		return file, errors.New("it is too long")
	}
	if _, err := knownhosts.NewDB(file); err == nil {
		return file, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return file, err
	}
	var kept bytes.Buffer
	for line := range bytes.Lines(content) {
		if goodLine(line) {
			kept.Write(bytes.TrimRight(line, "\r\n"))
		}
		kept.WriteByte('\n')
	}
	return writeTemp(kept.Bytes())
}

func writeTemp(content []byte) (string, error) {
	copied, err := os.CreateTemp("", "rpctl-known-hosts-")
	if err != nil {
		return "", err
	}
	_, err = copied.Write(content)
	return copied.Name(), errors.Join(err, copied.Close())
}

// goodLine says that the parser takes a line.
func goodLine(line []byte) bool {
	_, hosts, key, _, _, err := ssh.ParseKnownHosts(line)
	if err != nil || len(bytes.TrimSpace(line)) > 60<<10 {
		return false
	}
	fields := bytes.Fields(line)
	at := 0
	if fields[0][0] == '@' {
		at = 1
	}
	return len(fields) > at+2 && string(fields[at+1]) == key.Type() && goodPatterns(hosts)
}

// goodPatterns says that host patterns can be matched.
func goodPatterns(hosts []string) bool {
	for _, host := range hosts {
		if strings.TrimPrefix(host, "!") == "" || strings.HasPrefix(strings.TrimPrefix(host, "!"), "[") && !strings.Contains(host, "]:") {
			return false
		}
		if strings.HasPrefix(host, "|") && (!strings.HasPrefix(host, "|1|") || strings.Count(host, "|") != 3) {
			return false
		}
	}
	return len(hosts) > 0
}

// file is where a known key stands, by the name that the user knows.
func (k *knownHosts) file(key xknownhosts.KnownKey) string {
	if original, ok := k.original[key.Filename]; ok {
		return original
	}
	return key.Filename
}

func (k *knownHosts) place(key xknownhosts.KnownKey) string {
	return fmt.Sprintf("%s:%d", k.file(key), key.Line)
}
