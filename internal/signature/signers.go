package signature

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/proto"
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
	// Hardware are the namespaces for which the key must be kept in hardware; Verify refuses another.
	Hardware []string
}

// Fingerprint is how people compare the key.
func (s Signer) Fingerprint() string { return ssh.FingerprintSHA256(s.Key) }

// accepts says whether the line is for this namespace at this time. A key that may approve may revoke: that only restricts.
func (s Signer) accepts(namespace string, at time.Time) bool {
	return (len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, namespace) ||
		namespace == proto.NamespaceRevocation && slices.Contains(s.Namespaces, proto.NamespaceApproval)) &&
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
	for number, line := range lines(data) {
		signer, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		all = append(all, signer)
	}
	return all, nil
}

// lines yields the lines that say something, with their numbers. A comment that a terminal would not only print is a
// line that says something: it is refused like any other that is not understood.
func lines(data []byte) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		number := 0
		for line := range strings.SplitSeq(string(data), "\n") {
			number++
			text := strings.Trim(line, " \t")
			if text == "" || text[0] == '#' && plainText(text) == nil {
				continue
			}
			if !yield(number, text) {
				return
			}
		}
	}
}

// plainText refuses a line with a character that a reader of the file does not see, or that another parser may take
// for the end of the line.
func plainText(line string) error {
	for i, r := range line {
		if r == utf8.RuneError || r != '\t' && !unicode.IsPrint(r) {
			_, width := utf8.DecodeRuneInString(line[i:])
			return fmt.Errorf("there is a character %+q in it: want printable text", line[i:i+width])
		}
	}
	return nil
}

// Digest is sha256, hex, over the lines of an allowed_signers file that say something: without comments, blank lines
// and blanks around a line. `grep -v '^#' FILE | sha256sum` gives it for a file without blank lines.
func Digest(data []byte) string {
	sum := sha256.New()
	for _, line := range lines(data) {
		_, _ = io.WriteString(sum, line+"\n") // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func parseLine(line string) (Signer, error) {
	if err := plainText(line); err != nil {
		return Signer{}, err
	}
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
	seen := map[string]bool{}
	for _, option := range options {
		name, _, _ := strings.Cut(strings.ToLower(option), "=")
		if seen[name] {
			return Signer{}, fmt.Errorf("the option %q is there twice", name)
		}
		seen[name] = true
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
