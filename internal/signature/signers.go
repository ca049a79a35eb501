package signature

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Signers are the lines of an allowed_signers file (ssh-keygen(1), "ALLOWED SIGNERS").
type Signers []Signer

// Signer is one key that is accepted.
type Signer struct {
	Principal  string
	Key        ssh.PublicKey
	Namespaces []string // empty: any
	// After and Before bound the time in which the key is accepted; zero is no bound.
	After, Before time.Time
}

func (s Signer) accepts(namespace string, at time.Time) bool {
	return (len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, namespace)) &&
		(s.After.IsZero() || !at.Before(s.After)) && (s.Before.IsZero() || at.Before(s.Before))
}

// maxSigners bounds a file of signers, in bytes.
const maxSigners = 1 << 20

// ParseSigners reads an allowed_signers file. What this package cannot honour
// (cert-authority, patterns, an unknown option) is an error with its line, not a key that is accepted for more.
func ParseSigners(data []byte) (Signers, error) {
	if len(data) > maxSigners {
		return nil, fmt.Errorf("cannot read the signers: the file is longer than %d bytes", maxSigners)
	}
	var all Signers
	for number, line := range bytes.Split(data, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		signer, err := parseLine(string(line))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
		all = append(all, signer)
	}
	return all, nil
}

func parseLine(line string) (Signer, error) {
	at := strings.IndexAny(line, " \t")
	if at < 0 {
		return Signer{}, fmt.Errorf("want a name, a key type and a key")
	}
	principal := line[:at]
	if strings.ContainsAny(principal, "*?!,\"") {
		return Signer{}, fmt.Errorf("the name %q is a pattern or a list: want one plain name", principal)
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line[at:]))
	if err != nil {
		return Signer{}, fmt.Errorf("cannot read the key of %q: %w", principal, err)
	}
	signer := Signer{Principal: principal, Key: key}
	for _, option := range options {
		if err := signer.option(option); err != nil {
			return Signer{}, err
		}
	}
	return signer, nil
}

func (s *Signer) option(option string) error {
	name, value, _ := strings.Cut(option, "=")
	value = strings.Trim(value, `"`)
	var err error
	switch strings.ToLower(name) {
	case "namespaces":
		s.Namespaces = strings.Split(value, ",")
		if strings.ContainsAny(value, "*?!") || value == "" {
			return fmt.Errorf("namespaces %q: want plain names", value)
		}
	case "valid-after":
		s.After, err = parseTime(value)
	case "valid-before":
		s.Before, err = parseTime(value)
	default:
		return fmt.Errorf("the option %q cannot be honoured here", option)
	}
	return err
}

// parseTime reads YYYYMMDD[HHMM[SS]][Z]; without Z it is the host's local time.
func parseTime(text string) (time.Time, error) {
	zone := time.Local
	if plain, utc := strings.CutSuffix(text, "Z"); utc {
		text, zone = plain, time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(layout) == len(text) {
			if at, err := time.ParseInLocation(layout, text, zone); err == nil {
				return at, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("cannot read the time %q: want YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS", text)
}
