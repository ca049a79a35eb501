package signature

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/proto"
	"golang.org/x/crypto/ssh"
)

// HostKey is one line of a trusted_hosts file: the key that signs the receipts of one host.
//
//	HOST namespaces="simulation@rpctl,applied@rpctl" ssh-ed25519 AAAA… ENVIRONMENT
type HostKey struct {
	Host       string   // the host's name, as its receipts have it
	Namespaces []string // what the key may sign: receipts, and nothing else
	Key        ssh.PublicKey
	Comment    string // one word; in the repository's file the environment
	Number     int    // of the line in its file
}

// receiptNamespaces are what a host signs.
var receiptNamespaces = []string{proto.NamespaceSimulation, proto.NamespaceApplied}

// NewHostKey is the line of a host whose receipt key is the public key in OpenSSH's form. Every part comes from a host
// or from a command line, so each must have the form that a line of the file can hold.
func NewHostKey(host, publicKey, comment string) (HostKey, error) {
	fields := strings.Fields(publicKey)
	if len(fields) < 2 || plainText(publicKey) != nil {
		return HostKey{}, fmt.Errorf("the receipt key is no public key of type %s", ssh.KeyAlgoED25519)
	}
	line := HostKey{Host: host, Namespaces: receiptNamespaces, Comment: comment}.text(fields[0], fields[1])
	return parseHost(line)
}

// Fingerprint is how people compare the key.
func (k HostKey) Fingerprint() string { return ssh.FingerprintSHA256(k.Key) }

// Line is the line of the file, with its newline.
func (k HostKey) Line() string {
	kind, key, _ := strings.Cut(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.Key))), " ")
	return k.text(kind, key) + "\n"
}

func (k HostKey) text(kind, key string) string {
	line := fmt.Sprintf("%s namespaces=\"%s\" %s %s", k.Host, strings.Join(k.Namespaces, ","), kind, key)
	if k.Comment != "" {
		line += " " + k.Comment
	}
	return line
}

// ParseHosts reads a trusted_hosts file; path is for its errors, which name the line. It takes less than
// allowed_signers of ssh-keygen(1): a line is one plain name, the namespaces of receipts, one ed25519 key and at most
// one word. A name and a key each stand in one line.
func ParseHosts(path string, data []byte) ([]HostKey, error) {
	if len(data) > maxSigners {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, maxSigners)
	}
	var all []HostKey
	for number, line := range lines(data) {
		key, err := parseHost(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, number, err)
		}
		for _, before := range all {
			if before.Host == key.Host {
				return nil, fmt.Errorf("%s:%d: host %s has a line already (line %d): want one line a host", path, number, key.Host, before.Number)
			}
			if bytes.Equal(before.Key.Marshal(), key.Key.Marshal()) {
				return nil, fmt.Errorf("%s:%d: the key of host %s is that of %s too (line %d): want one key a host", path, number, key.Host, before.Host, before.Number)
			}
		}
		key.Number = number
		all = append(all, key)
	}
	return all, nil
}

// parseHost reads one line. What it does not write itself, to the byte, is refused.
func parseHost(line string) (HostKey, error) {
	if err := plainText(line); err != nil {
		return HostKey{}, err
	}
	fields := strings.Split(line, " ")
	if len(fields) < 4 || len(fields) > 5 {
		return HostKey{}, fmt.Errorf("want HOST namespaces=%q KEY-TYPE KEY ENVIRONMENT with one blank between them, and nothing else", strings.Join(receiptNamespaces, ","))
	}
	key := HostKey{Host: fields[0]}
	if len(fields) == 5 {
		key.Comment = fields[4]
		if !plainWord(key.Comment, "@") {
			return HostKey{}, fmt.Errorf("bad environment %q: want one name like preprod", key.Comment)
		}
	}
	if !plainWord(key.Host, "") {
		return HostKey{}, fmt.Errorf("bad host name %q: want one plain name (letters, digits, dots, dashes and underscores)", key.Host)
	}
	list, ok := strings.CutPrefix(fields[1], `namespaces="`)
	list, closed := strings.CutSuffix(list, `"`)
	key.Namespaces = strings.Split(list, ",")
	for i, namespace := range key.Namespaces {
		if !slices.Contains(receiptNamespaces, namespace) || slices.Contains(key.Namespaces[:i], namespace) {
			ok = false
		}
	}
	if !ok || !closed {
		return HostKey{}, fmt.Errorf("bad option %s: want namespaces=%q and no other", fields[1], strings.Join(receiptNamespaces, ","))
	}
	var err error
	if key.Key, _, _, _, err = ssh.ParseAuthorizedKey([]byte(fields[2] + " " + fields[3])); err != nil || key.Key.Type() != ssh.KeyAlgoED25519 {
		return HostKey{}, fmt.Errorf("bad key of host %s: want a key of type %s, which every receipt key is", key.Host, ssh.KeyAlgoED25519)
	}
	if key.Line() != line+"\n" {
		return HostKey{}, fmt.Errorf("the line is not in the form that rpctl writes: want %s", strings.TrimSpace(key.Line()))
	}
	return key, nil
}

// plainWord says whether s is a name that no file takes for a pattern, a list or an option.
func plainWord(s, others string) bool {
	if s == "" || len(s) > 253 || strings.IndexByte("._-", s[0]) >= 0 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune("._-"+others, r)
	})
}

// HostSigners accepts each key under its host's name, for its namespaces.
func HostSigners(keys []HostKey) Signers {
	var all Signers
	for _, key := range keys {
		all = append(all, Signer{Principal: key.Host, Key: key.Key, Namespaces: key.Namespaces})
	}
	return all
}
