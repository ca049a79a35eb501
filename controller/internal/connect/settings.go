package connect

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/re-connect/rpctl/internal/printable"
)

// settings are a host's ssh_config keywords, lower case, with their values in order.
type settings map[string][]string

// wantedKeywords are those that this package understands.
var wantedKeywords = map[string]bool{
	"hostname": true, "port": true, "user": true, "identityfile": true, "identitiesonly": true,
	"identityagent": true, "proxyjump": true, "userknownhostsfile": true,
	"globalknownhostsfile": true, "hostkeyalias": true, "controlpath": true, "connecttimeout": true,
}

// parseSettings reads the output of `ssh -G`: a keyword, a space and its value on each
// line. Lines of other shapes and unknown keywords are passed over: newer versions of ssh add some.
func parseSettings(output []byte) settings {
	found := settings{}
	for _, line := range strings.Split(string(output), "\n") {
		keyword, value, ok := strings.Cut(strings.TrimRight(line, "\r"), " ")
		keyword = strings.ToLower(keyword)
		value = strings.TrimSpace(value)
		if ok && value != "" && wantedKeywords[keyword] {
			found[keyword] = append(found[keyword], value)
		}
	}
	return found
}

// first is a keyword's first value, which is the one that counts, or "".
func (s settings) first(keyword string) string {
	if values := s[keyword]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// build makes sense of settings for a target, refusing what it cannot.
func (s settings) build(target hop) (Resolved, error) {
	r := Resolved{
		Alias: target.host, HostName: s.first("hostname"), Port: 22, User: s.first("user"),
		HostKeyAlias: s.first("hostkeyalias"), typed: target,
	}
	if err := s.buildAddress(&r, target); err != nil {
		return Resolved{}, err
	}
	if err := s.buildRoute(&r); err != nil {
		return Resolved{}, err
	}
	return r, s.buildFiles(&r)
}

// buildAddress says where the host is and who logs in.
func (s settings) buildAddress(r *Resolved, target hop) (err error) {
	if r.HostName == "" {
		r.HostName = target.host
	}
	r.HostName = strings.NewReplacer("%%", "%", "%h", target.host).Replace(r.HostName)
	if !hostForm.MatchString(r.HostName) {
		return fmt.Errorf("bad HostName %q", printable.Excerpt(r.HostName, 60))
	}
	if text := s.first("port"); text != "" {
		if r.Port, err = parsePort(text); err != nil {
			return err
		}
	}
	if target.port != 0 {
		r.Port = target.port
	}
	if target.user != "" {
		r.User = target.user
	}
	if r.User == "" {
		r.User, err = localUser()
	}
	return err
}

// buildRoute says how to get there.
func (s settings) buildRoute(r *Resolved) (err error) {
	if r.jumps, err = parseJumps(s.first("proxyjump")); err != nil {
		return err
	}
	for _, jump := range r.jumps {
		r.ProxyJump = append(r.ProxyJump, jump.String())
	}
	if text := s.first("connecttimeout"); text != "" && !strings.EqualFold(text, "none") {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 0 || seconds > 24*3600 {
			return fmt.Errorf("bad ConnectTimeout %q", printable.Excerpt(text, 20))
		}
		r.ConnectTimeout = time.Duration(seconds) * time.Second
	}
	return nil
}

// buildFiles expands the paths, after all that their tokens stand for is known.
func (s settings) buildFiles(r *Resolved) (err error) {
	tokens, err := tokensOf(*r)
	if err != nil {
		return err
	}
	files := s["identityfile"]
	if len(files) == 0 {
		files = defaultIdentities
	}
	if r.IdentityFiles, err = tokens.paths(files); err != nil {
		return err
	}
	r.IdentitiesOnly = strings.EqualFold(s.first("identitiesonly"), "yes")
	known := append(splitFiles(s.first("userknownhostsfile"), defaultUserKnown),
		splitFiles(s.first("globalknownhostsfile"), defaultGlobalKnown)...)
	if r.KnownHosts, err = tokens.paths(known); err != nil {
		return err
	}
	if path := s.first("controlpath"); path != "" && !strings.EqualFold(path, "none") {
		if r.ControlPath, err = tokens.path(path); err != nil {
			return err
		}
	}
	r.AgentSocket, err = agentSocket(s.first("identityagent"), tokens)
	return err
}

// The defaults of ssh_config(5), for when no ssh says them.
var (
	defaultIdentities  = []string{"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk"}
	defaultUserKnown   = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
	defaultGlobalKnown = []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
)

// splitFiles splits a list of files. ssh -G prints them without quotes, so a word
// that begins no path belongs to the path before it.
func splitFiles(value string, otherwise []string) []string {
	if value == "" {
		return otherwise
	}
	var files []string
	for _, word := range strings.Fields(value) {
		word = strings.Trim(word, `"`)
		begins := strings.HasPrefix(word, "/") || strings.HasPrefix(word, "~") || strings.HasPrefix(word, "$") || strings.HasPrefix(word, "%")
		switch {
		case strings.EqualFold(word, "none"):
		case begins || len(files) == 0:
			files = append(files, word)
		default:
			files[len(files)-1] += " " + word
		}
	}
	return files
}

// agentSocket is where the agent listens, by IdentityAgent (ssh_config(5)): a path, "none",
// SSH_AUTH_SOCK or the name of another variable after a $; by default $SSH_AUTH_SOCK.
func agentSocket(value string, tokens tokens) (string, error) {
	switch {
	case value == "" || value == "SSH_AUTH_SOCK":
		return os.Getenv("SSH_AUTH_SOCK"), nil
	case strings.EqualFold(value, "none"):
		return "", nil
	case strings.HasPrefix(value, "$") && !strings.HasPrefix(value, "${"):
		return os.Getenv(value[1:]), nil
	}
	path, err := tokens.path(value)
	if err != nil {
		return "", errors.New("bad IdentityAgent: " + err.Error())
	}
	return path, nil
}
