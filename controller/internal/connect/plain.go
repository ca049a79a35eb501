package connect

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
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
// where the ssh program costs a process for each. What else a configuration says of a host is left to ssh;
// TestPlainIsWhatSSHReads holds the two to the same result.
type plainConfig struct {
	blocks   []plainBlock
	homeless bool // $HOME is not the home folder that ssh uses, so nothing in it may matter
}

// plainBlock is the settings of one Host line; without patterns, of all hosts.
type plainBlock struct {
	patterns []string
	settings [][2]string // keyword, value
	notPlain error       // the first setting that is left to ssh
}

// plainReader reads the configuration at most once.
type plainReader struct {
	alone bool // there is no ssh program to agree with, so $HOME and $USER are believed
	once  sync.Once
	found *plainConfig
	err   error
}

// errNotPlain reports a configuration that only the ssh program reads reliably.
var errNotPlain = errors.New("only the ssh program reads this reliably")

// of returns what the configuration says of a target. ask reports that only ssh knows a value for certain, and that
// nothing else is left to ssh: the default user is that of the system's user database, and %C of a ControlPath differs
// between versions. The error says what is not plain.
func (p *plainReader) of(target hop, override string) (found settings, ask bool, err error) {
	p.once.Do(func() { p.found, p.err = readPlain(override, p.alone) })
	if p.err != nil {
		return nil, false, p.err
	}
	if found, err = p.found.of(target.host); err != nil {
		return nil, false, err
	}
	if !p.alone && strings.ToLower(target.host) != target.host || p.found.homeless && found.inHome() { // ssh compares names in lower case
		return nil, false, errNotPlain
	}
	if strings.Contains(found.first("controlpath"), "%C") {
		if p.alone { // no ssh, no master of its
			delete(found, "controlpath")
		}
		ask = true
	}
	return found, !p.alone && (ask || target.user == "" && found.first("user") == ""), nil
}

// inHome reports whether a file below the home folder is used.
func (s settings) inHome() bool {
	for _, keyword := range []string{"identityfile", "userknownhostsfile", "globalknownhostsfile", "controlpath", "identityagent"} {
		if strings.Contains(strings.Join(s[keyword], " "), "~") {
			return true
		}
	}
	return len(s["identityfile"]) == 0 || len(s["userknownhostsfile"]) == 0 // by default they are
}

// of collects as ssh_config(5) says: the first value counts, identity files add up.
func (c *plainConfig) of(host string) (settings, error) {
	found := settings{}
	for _, block := range c.blocks {
		if len(block.patterns) > 0 && !matchesAny(block.patterns, host) {
			continue
		}
		if block.notPlain != nil {
			return nil, block.notPlain
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
	return found, nil
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
func readPlain(override string, alone bool) (*plainConfig, error) {
	home, certain, err := sshHome()
	if err != nil {
		return nil, err
	}
	users := filepath.Join(home, ".ssh")
	c := &plainConfig{homeless: !certain && !alone}
	if override != "" {
		if override == "none" {
			return nil, errNotPlain
		}
		return c, c.read(override, users, false, 0)
	}
	if c.homeless {
		return nil, errNotPlain
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

// sshHome is $HOME. It is certain where the user database agrees: that is what ssh uses.
func sshHome() (home string, certain bool, err error) {
	if home, err = os.UserHomeDir(); err != nil {
		return "", false, err
	}
	me, err := user.LookupId(strconv.Itoa(os.Getuid()))
	return home, err == nil && me.HomeDir == home, nil
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
	number := 0
	for inHost := false; lines.Scan(); {
		number++
		keyword, value, err := plainLine(lines.Text())
		switch {
		case err != nil && leftToSSH(keyword):
			last := &c.blocks[len(c.blocks)-1]
			last.notPlain = cmp.Or(last.notPlain, fmt.Errorf("%s:%d: %w", file, number, err))
		case err != nil:
			return fmt.Errorf("%s:%d: %w", file, number, err)
		case keyword == "host":
			inHost = true
			c.blocks = append(c.blocks, plainBlock{patterns: strings.Fields(value)})
		case keyword == "include" && inHost:
			return fmt.Errorf("%s:%d: %w", file, number, errNotPlain)
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

// leftToSSH reports whether a setting matters only to the hosts that its block matches.
func leftToSSH(keyword string) bool {
	return sshKeywords()[keyword] || harmlessKeywords()[keyword] ||
		keywordForms()[keyword] != nil && keyword != "host" && keyword != "include"
}

// include reads files by their patterns, in the order of their names, as glob(7) gives them to ssh.
func (c *plainConfig) include(value, folder string, private bool, depth int) error {
	for _, pattern := range strings.Fields(value) {
		if rest, ok := strings.CutPrefix(pattern, "~/"); ok {
			if !private || c.homeless {
				return errNotPlain // ssh refuses ~ in the machine's own files
			}
			pattern = filepath.Join(filepath.Dir(folder), rest)
		} else if !filepath.IsAbs(pattern) {
			if c.homeless {
				return errNotPlain
			}
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
				return fmt.Errorf("%w: %w", errNotPlain, err)
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
