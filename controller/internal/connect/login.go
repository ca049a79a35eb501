package connect

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// login is the keys that one handshake offers, and what became of it.
type login struct {
	dialer   *Dialer
	r        Resolved
	patience *patience

	forget    []func() // undoes what the login opened
	offered   []string // labels, in order
	notes     []string // keys that could not be offered, and why
	unlock    string   // a key file that only lacks its passphrase
	asked     bool     // the host has said what it takes
	keysTaken bool     // and it takes keys
	partial   bool     // a key was accepted, but is not enough
	methods   []string // what it takes
	more      bool     // the ssh program may offer what this login cannot
}

// observe remembers what the host takes; it decides nothing.
func (l *login) observe(state *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	l.methods = state.AllowedMethods
	l.partial = len(state.PartialSuccessMethods) > 0
	l.keysTaken = l.keysTaken || slices.Contains(state.AllowedMethods, "publickey")
	l.asked = true
	return nil, nil
}

func (l *login) close() {
	for _, undo := range l.forget {
		undo()
	}
}

// candidate is a key that can be offered.
type candidate struct {
	signer ssh.Signer
	label  string
}

// signers is the keys in the order in which ssh offers them: those of the agent that an
// IdentityFile names, the agent's others (unless IdentitiesOnly), then key files. A key
// costs the host one of a few tries (MaxAuthTries in sshd_config(5)), so none comes twice.
func (l *login) signers(ctx context.Context) []ssh.Signer {
	held := l.agentKeys(ctx)
	files := l.identities()
	var chosen []candidate
	for _, file := range files {
		l.more = l.more || file.certified
		if key, ok := held.take(file.public); ok {
			chosen = append(chosen, key)
		}
	}
	if l.r.IdentitiesOnly {
		l.more = l.more || slices.ContainsFunc(held.keys, func(c candidate) bool { return strings.Contains(c.signer.PublicKey().Type(), "-cert-") })
	}
	taken := len(chosen)
	if !l.r.IdentitiesOnly {
		chosen = append(chosen, held.keys...)
	}
	inAgent := chosen[:taken:taken]
	for _, file := range files {
		if !slices.ContainsFunc(inAgent, func(c candidate) bool { return sameKey(c.signer.PublicKey(), file.public) }) {
			chosen = l.offerFile(ctx, chosen, file)
		}
	}
	signers := make([]ssh.Signer, 0, len(chosen))
	for _, key := range chosen {
		signers = append(signers, key.signer)
		l.offered = append(l.offered, key.label)
	}
	return signers
}

// agentHeld is the agent's keys that were not taken yet.
type agentHeld struct{ keys []candidate }

func (h *agentHeld) take(public ssh.PublicKey) (candidate, bool) {
	at := slices.IndexFunc(h.keys, func(c candidate) bool { return sameKey(c.signer.PublicKey(), public) })
	if at < 0 {
		return candidate{}, false
	}
	key := h.keys[at]
	h.keys = slices.Delete(h.keys, at, at+1)
	return key, true
}

// agentKeys asks the agent what it holds. An agent that does not answer is a note.
func (l *login) agentKeys(ctx context.Context) *agentHeld {
	held := &agentHeld{}
	if l.r.AgentSocket == "" {
		return held
	}
	const within = 10 * time.Second
	dialer := net.Dialer{Timeout: within}
	conn, err := dialer.DialContext(ctx, "unix", l.r.AgentSocket)
	if err != nil {
		l.notes = append(l.notes, "the agent's keys ("+safe(err.Error())+")")
		return held
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	l.forget = append(l.forget, func() { stop(); conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(within))
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		l.notes = append(l.notes, "the agent's keys ("+safe(err.Error())+")")
		return held
	}
	_ = conn.SetDeadline(time.Now().Add(within + humanPause))
	for _, signer := range signers {
		label := describe(signer.PublicKey()) + " of the agent"
		if algorithms, ok := signer.(ssh.AlgorithmSigner); ok {
			signer = patientSigner{algorithms, l.patience}
		}
		held.keys = append(held.keys, candidate{signer, label})
	}
	return held
}

// patientSigner gives the agent time to ask its owner (ssh-add -c, a key that wants a touch).
type patientSigner struct {
	ssh.AlgorithmSigner
	patience *patience
}

func (s patientSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	defer s.patience.human()()
	return s.AlgorithmSigner.SignWithAlgorithm(rand, data, algorithm)
}

// offerFile adds a key file to the chosen, or says why not. A file whose public half is not
// known must be decrypted before it can be offered: that is done only where nothing else is.
func (l *login) offerFile(ctx context.Context, chosen []candidate, file identity) []candidate {
	label := describe(file.public) + " of " + file.path
	signer := file.signer
	switch {
	case file.problem != "":
		l.more = true
		l.notes = append(l.notes, file.path+" ("+safe(file.problem)+")")
		return chosen
	case signer != nil:
	case file.encrypted == nil: // a public half without a private one: the agent's keys were asked
		return chosen
	case l.dialer.options.Passphrase == nil:
		l.unlock = file.path
		l.notes = append(l.notes, file.path+" (it has a passphrase, and nobody can be asked)")
		return chosen
	case file.public != nil:
		signer = &lockedSigner{ctx: ctx, login: l, file: file}
	case len(chosen) > 0:
		l.unlock = file.path
		l.notes = append(l.notes, file.path+" (it has a passphrase, and no .pub file beside it)")
		return chosen
	default:
		opened, err := l.open(ctx, file)
		if err != nil {
			l.notes = append(l.notes, file.path+" ("+safe(err.Error())+")")
			return chosen
		}
		signer, label = opened, describe(opened.PublicKey())+" of "+file.path
	}
	return append(chosen, candidate{signer, label})
}

// open decrypts a key file, asking its owner.
func (l *login) open(ctx context.Context, file identity) (ssh.AlgorithmSigner, error) {
	defer l.patience.human()()
	return l.dialer.keys.open(ctx, file)
}

// lockedSigner asks for the passphrase only when the host has said that it wants this key.
type lockedSigner struct {
	ctx   context.Context // of the handshake that it is made for
	login *login
	file  identity
}

func (s *lockedSigner) PublicKey() ssh.PublicKey { return s.file.public }

func (s *lockedSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

func (s *lockedSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := s.login.open(s.ctx, s.file)
	if err != nil {
		return nil, err
	}
	return signer.SignWithAlgorithm(rand, data, algorithm)
}

// describe is a key as ssh-keygen -l shows it.
func describe(key ssh.PublicKey) string {
	if key == nil {
		return "key"
	}
	return fmt.Sprintf("%s %s", keyName(key), ssh.FingerprintSHA256(key))
}

// keyName is a key type's name for people: ED25519, RSA, ECDSA, ED25519-CERT.
func keyName(key ssh.PublicKey) string {
	name := key.Type()
	cert := strings.Contains(name, "-cert-")
	name = strings.TrimPrefix(strings.TrimPrefix(name, "sk-"), "ssh-")
	name, _, _ = strings.Cut(name, "-")
	if name, _, _ = strings.Cut(name, "@"); cert {
		name += "-cert"
	}
	return strings.ToUpper(name)
}
