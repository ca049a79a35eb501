package connect

import (
	"crypto/sha1" //nolint:gosec // the name of a socket, as ssh makes it; nothing is protected by it
	"encoding/hex"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/re-connect/rpctl/internal/printable"
)

// tokens are what % letters stand for in paths (TOKENS in ssh_config(5)).
type tokens struct {
	letters map[byte]string
	home    string
}

func lookupCurrent() (string, error) {
	current, err := user.Current()
	if err != nil {
		return "", err
	}
	return current.Username, nil
}

func tokensOf(r Resolved) (tokens, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return tokens{}, fmt.Errorf("no home folder: %w", err)
	}
	here, err := os.Hostname()
	if err != nil {
		return tokens{}, fmt.Errorf("this machine has no name: %w", err)
	}
	short, _, _ := strings.Cut(here, ".")
	me, err := localUser()
	if err != nil {
		return tokens{}, err
	}
	port, jumps := strconv.Itoa(r.Port), strings.Join(r.ProxyJump, ",")
	key := r.HostKeyAlias
	if key == "" {
		key = r.Alias
	}
	hash := sha1.Sum([]byte(here + r.HostName + port + r.User + jumps)) //nolint:gosec // see above
	return tokens{home: home, letters: map[byte]string{
		'%': "%", 'C': hex.EncodeToString(hash[:]), 'd': home, 'h': r.HostName, 'i': strconv.Itoa(os.Getuid()),
		'j': jumps, 'k': key, 'L': short, 'l': here, 'n': r.Alias, 'p': port, 'r': r.User, 'u': me,
	}}, nil
}

// paths expands each of a list.
func (t tokens) paths(texts []string) ([]string, error) {
	var expanded []string
	for _, text := range texts {
		if strings.EqualFold(text, "none") {
			continue
		}
		path, err := t.path(text)
		if err != nil {
			return nil, err
		}
		expanded = append(expanded, path)
	}
	return expanded, nil
}

// path expands ~, % tokens and ${VARIABLES}. A relative path starts in the working folder, as for ssh.
func (t tokens) path(text string) (string, error) {
	var out strings.Builder
	rest := strings.Trim(text, `"`)
	if rest == "~" || strings.HasPrefix(rest, "~/") {
		out.WriteString(t.home)
		rest = rest[1:]
	}
	for len(rest) > 0 {
		switch {
		case rest[0] == '%':
			if len(rest) < 2 || t.letters[rest[1]] == "" && rest[1] != 'j' {
				return "", fmt.Errorf("unknown token in %q", printable.Excerpt(text, 120))
			}
			out.WriteString(t.letters[rest[1]])
			rest = rest[2:]
		case strings.HasPrefix(rest, "${") && strings.Contains(rest, "}"):
			name, after, _ := strings.Cut(rest[2:], "}")
			value, set := os.LookupEnv(name)
			if !set {
				return "", fmt.Errorf("%q names a variable that is not set", printable.Excerpt(text, 120))
			}
			out.WriteString(value)
			rest = after
		default:
			out.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	if strings.ContainsRune(out.String(), 0) {
		return "", fmt.Errorf("bad path %q", printable.Excerpt(text, 120))
	}
	return filepath.Clean(out.String()), nil
}
