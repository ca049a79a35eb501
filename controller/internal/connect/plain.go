package connect

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// plainConfig is an ssh configuration of which there is no doubt what it says: Host blocks,
// Include before the first of them, and values without quotes. It is read once for all hosts,
// where `ssh -G` costs a process for each (5 ms and more: measured, most of what 1,000
// hosts cost). Whatever else a configuration says is for ssh itself to read; TestPlainIsWhatSSHReads
// holds the two to the same result.
type plainConfig struct{ blocks []plainBlock }

// plainBlock is the settings of one Host line; without patterns, of all hosts.
type plainBlock struct {
	patterns []string
	settings [][2]string // keyword, value
}

// plainReader reads the configuration at most once.
type plainReader struct {
	once  sync.Once
	found *plainConfig // nil: it is not plain
}

// errNotPlain says that ssh must be asked.
var errNotPlain = errors.New("not a plain configuration")

// of is what a plain configuration says of a target; false when ssh must be asked.
func (p *plainReader) of(target hop, override string) (settings, bool) {
	p.once.Do(func() {
		if read, err := readPlain(override); err == nil {
			p.found = read
		}
	})
	if p.found == nil || strings.ToLower(target.host) != target.host {
		return nil, false
	}
	found := p.found.of(target.host)
	// ssh takes the user's name from the system's user database, which only ssh reaches for certain.
	return found, target.user != "" || found.first("user") != ""
}

// of collects as ssh_config(5) says: the first value counts, identity files add up.
func (c *plainConfig) of(host string) settings {
	found := settings{}
	for _, block := range c.blocks {
		if len(block.patterns) > 0 && !matchesAny(block.patterns, host) {
			continue
		}
		for _, s := range block.settings {
			keyword, value := s[0], s[1]
			switch {
			case len(found[keyword]) == 0:
				found[keyword] = []string{value}
			case keyword == "identityfile" && !slices.Contains(found[keyword], value):
				found[keyword] = append(found[keyword], value)
			}
		}
	}
	return found
}

// matchesAny is a Host line: a pattern after ! that matches keeps the whole block away.
func matchesAny(patterns []string, host string) bool {
	matches := false
	for _, pattern := range patterns {
		bare, negated := strings.CutPrefix(pattern, "!")
		if bare != host {
			if ok, _ := path.Match(bare, host); !ok { // plainForms leaves nothing that path.Match reads otherwise
				continue
			}
		}
		if negated {
			return false
		}
		matches = true
	}
	return matches
}

// readPlain reads the files that ssh reads; override alone where it is given, like ssh -F.
func readPlain(override string) (*plainConfig, error) {
	home, err := sshHome()
	if err != nil {
		return nil, err
	}
	users := filepath.Join(home, ".ssh")
	c := &plainConfig{}
	if override != "" {
		if override == "none" {
			return nil, errNotPlain
		}
		return c, c.read(override, users, false, 0)
	}
	for _, file := range []struct {
		name, folder string
		private      bool
	}{{filepath.Join(users, "config"), users, true}, {"/etc/ssh/ssh_config", "/etc/ssh", false}} {
		if err := c.read(file.name, file.folder, file.private, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return c, nil
}

// sshHome is the home folder, where $HOME and the user database agree on it: ssh believes the latter.
func sshHome() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	me, err := user.LookupId(strconv.Itoa(os.Getuid()))
	if err != nil || me.HomeDir != home {
		return "", errNotPlain
	}
	return home, nil
}

// read adds the blocks of a file. folder is where the names that it includes begin; private files
// must belong to the user and be writable by nobody else, or ssh refuses them, and says so better.
func (c *plainConfig) read(file, folder string, private bool, depth int) error {
	const deepest, longest = 16, 4 << 20 // READCONF_MAX_DEPTH of ssh; far above any configuration
	content, err := readRegular(file, longest, private)
	if err != nil {
		return err
	}
	if depth > deepest {
		return errNotPlain
	}
	c.blocks = append(c.blocks, plainBlock{})
	lines := bufio.NewScanner(bytes.NewReader(content))
	for inHost := false; lines.Scan(); {
		keyword, value, err := plainLine(lines.Text())
		switch {
		case err != nil:
			return err
		case keyword == "host":
			inHost = true
			c.blocks = append(c.blocks, plainBlock{patterns: strings.Fields(value)})
		case keyword == "include" && inHost:
			return errNotPlain
		case keyword == "include":
			if err := c.include(value, folder, private, depth); err != nil {
				return err
			}
			c.blocks = append(c.blocks, plainBlock{})
		case wantedKeywords[keyword]:
			last := &c.blocks[len(c.blocks)-1]
			last.settings = append(last.settings, [2]string{keyword, value})
		}
	}
	return lines.Err()
}

// include reads files by their patterns, in the order of their names, as glob(7) gives them to ssh.
func (c *plainConfig) include(value, folder string, private bool, depth int) error {
	for _, pattern := range strings.Fields(value) {
		if rest, ok := strings.CutPrefix(pattern, "~/"); ok {
			if !private {
				return errNotPlain // ssh refuses ~ in the machine's own files
			}
			pattern = filepath.Join(filepath.Dir(folder), rest)
		} else if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(folder, pattern)
		}
		names, err := filepath.Glob(pattern)
		if err != nil {
			return errNotPlain
		}
		for _, name := range names {
			if strings.HasPrefix(filepath.Base(name), ".") && !strings.HasPrefix(filepath.Base(pattern), ".") {
				continue // glob(7): a * is no leading dot
			}
			if err := c.read(name, folder, private, depth+1); err != nil {
				return errNotPlain
			}
		}
	}
	return nil
}

// readRegular is a whole file.
func readRegular(file string, longest int64, private bool) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.Mode().IsRegular() || info.Size() > longest || !ok {
		return nil, errNotPlain
	}
	if private && (info.Mode().Perm()&0o022 != 0 || owner.Uid != 0 && int(owner.Uid) != os.Getuid()) {
		return nil, errNotPlain
	}
	return os.ReadFile(file)
}
