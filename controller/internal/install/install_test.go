package install

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/upload"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// host is a host that knows the commands of a visit, and sudo's manners.
type host struct {
	uid, password string // an empty password: sudo does not ask
	files         map[string][]byte
	asked         []string // what ran as root
	report        string   // what setup answers
	freely        bool     // sudo asks for no password for rp-agent itself
	echoes        bool     // what sudo reads is what it says
	lost          bool     // the connection ends when sudo is asked for
	login         string   // what `id -un` says
	swap          []byte   // what another process of the login's user puts in the upload's place
}

func (h *host) Client() *ssh.Client { return nil }

func (h *host) Run(_ context.Context, command string, stdin io.Reader) ([]byte, error) {
	var input []byte
	if stdin != nil {
		input, _ = io.ReadAll(stdin)
	}
	words := strings.Fields(command)
	switch {
	case command == "uname -m":
		return []byte("x86_64\n"), nil
	case command == "id -un":
		return []byte(h.login + "\n"), nil
	case command == "id -u":
		return []byte(h.uid + "\n"), nil
	case words[0] == "mkdir", words[0] == "chmod":
	case words[0] == "dd":
		h.files[strings.TrimPrefix(words[2], "of=")] = input
	case words[0] == "sha256sum" && words[1] != "--":
		return fmt.Appendf(nil, "%s  %s\n", upload.Sum(h.files[words[1]]), words[1]), nil
	case words[0] == "mv":
		h.files[words[3]] = h.files[words[2]]
		delete(h.files, words[2])
	case command == "rm -rf "+words[len(words)-1]:
		maps.DeleteFunc(h.files, func(name string, _ []byte) bool { return strings.HasPrefix(name, words[2]+"/") })
	case words[0] == "sudo":
		return h.sudo(command, input)
	case h.uid == "0":
		return h.root(command, input)
	}
	return nil, nil
}

// root is a command as root: what a visit does to its own copy, or setup.
func (h *host) root(command string, input []byte) ([]byte, error) {
	words := strings.Fields(command)
	switch {
	case words[0] == "install":
		if h.swap != nil {
			h.files[words[8]] = h.swap
		}
		h.files[words[9]] = h.files[words[8]]
	case words[0] == "sha256sum":
		return fmt.Appendf(nil, "%s  %s\n", upload.Sum(h.files[words[2]]), words[2]), nil
	case words[0] == "rm":
		delete(h.files, words[3])
	default:
		return h.setup(command, input)
	}
	return nil, nil
}

func (h *host) sudo(command string, input []byte) ([]byte, error) {
	if h.lost {
		return nil, &exit.Error{Code: exit.Unreachable, Message: "the connection was lost"}
	}
	if rest, ok := strings.CutPrefix(command, "sudo -k -n "); ok {
		command = "sudo -n " + rest
	}
	if rest, ok := strings.CutPrefix(command, "sudo -n "); ok {
		if h.freely && strings.HasPrefix(rest, stagedBeside) {
			return h.root(rest, input)
		}
		if h.password != "" {
			return nil, errors.New("sudo: a password is required")
		}
		return h.root(rest, input)
	}
	rest := strings.TrimPrefix(command, "sudo -k -S -p : ")
	if h.freely && strings.HasPrefix(rest, stagedBeside) {
		return h.root(rest, input) // the password is left for the command
	}
	if h.echoes && rest != "true" {
		return input, fmt.Errorf("sudo: status 1: %s", input)
	}
	typed, input, _ := bytes.Cut(input, []byte("\n"))
	if string(typed) != h.password {
		return nil, errors.New("sudo: 1 incorrect password attempt")
	}
	return h.root(rest, input)
}

func (h *host) setup(command string, input []byte) ([]byte, error) {
	h.asked = append(h.asked, command)
	if name := strings.Fields(command)[0]; name != "true" && (!strings.HasPrefix(name, stagedBeside) || h.files[name] == nil) {
		return nil, fmt.Errorf("root ran %q, which is not root's own copy", command)
	}
	if strings.HasSuffix(command, "true") || strings.HasSuffix(command, "version") {
		return nil, nil
	}
	var spec proto.SetupSpec
	if !strings.Contains(command, "--uninstall") && (json.Unmarshal(input, &spec) != nil || spec.Config.Environment != "preprod") {
		return nil, fmt.Errorf("setup read %q", input)
	}
	return []byte(h.report + "\n"), nil
}

// binaries is a folder with this very test as rp-agent: a Linux program, if not a static one everywhere.
func binaries(t *testing.T) Binaries {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rp-agent"), program(elf.EM_X86_64), 0o755); err != nil {
		t.Fatal(err)
	}
	return Binaries{Rpctl: filepath.Join(dir, "rpctl")}
}

// program is the head of a 64-bit Linux program without segments.
func program(machine elf.Machine) []byte {
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	header[16], header[18], header[20] = byte(elf.ET_EXEC), byte(machine), 1
	header[19] = byte(machine >> 8)
	header[52], header[54], header[58] = 64, 56, 64
	return header
}

func TestVisit(t *testing.T) {
	spec := proto.SetupSpec{Config: proto.HostConfig{Environment: "preprod"}}
	const report = `{"changes":[{"action":"create","target":"/usr/local/bin/rp-agent"}],"applied":true}`
	for name, c := range map[string]struct {
		uid, password, typed string
		code                 exit.Code
		nobody               bool
	}{
		"root":                    {uid: "0"},
		"sudo without a password": {uid: "1000"},
		"sudo with a password":    {uid: "1000", password: "secret", typed: "secret"},
		"wrong password":          {uid: "1000", password: "secret", typed: "other", code: exit.Refused},
		"nobody to ask":           {uid: "1000", password: "secret", nobody: true, code: exit.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			fake := &host{uid: c.uid, password: c.password, files: map[string][]byte{}, report: report}
			secret := []byte(c.typed)
			target := Host{Name: "rp-preprod", Host: fake, Password: func(context.Context) ([]byte, error) { return secret, nil }}
			if c.nobody {
				target.Password = nil
			}
			visit, err := Begin(t.Context(), target, binaries(t))
			if c.code != exit.OK {
				wiped(t, secret, c.nobody)
				if failure := exit.From(err); failure == nil || failure.Code != c.code || failure.Next == "" || len(fake.files) > 0 {
					t.Errorf("%v, files %v", err, fake.files)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := visit.Apply(t.Context(), spec)
			if err != nil || !got.Applied || len(got.Changes) != 1 || visit.Via != "exec" {
				t.Errorf("%+v, %v, by %s", got, err, visit.Via)
			}
			for _, command := range fake.asked {
				if strings.Contains(command, "secret") {
					t.Errorf("the password is in %q", command)
				}
			}
			if err := visit.Close(); err != nil || len(fake.files) > 0 {
				t.Errorf("%v, left %v", err, fake.files)
			}
			wiped(t, secret, c.password == "")
		})
	}
}

// TestSwappedUploadIsNotRun: what root starts is root's own copy, and it is what was sent.
func TestSwappedUploadIsNotRun(t *testing.T) {
	for name, uid := range map[string]string{"sudo": "1000", "root": "0"} {
		fake := &host{uid: uid, files: map[string][]byte{}, swap: []byte("another program")}
		_, err := Begin(t.Context(), Host{Name: "pp1", Host: fake}, binaries(t))
		if failure := exit.From(err); failure == nil || !strings.Contains(failure.Message, "root's copy is not what was sent") {
			t.Errorf("%s: %v", name, err)
		}
		for _, command := range fake.asked {
			if command != "true" {
				t.Errorf("%s: root ran %q", name, command)
			}
		}
		if len(fake.files) > 0 {
			t.Errorf("%s: left %v", name, fake.files)
		}
	}
}

// TestTheApplicationsLoginIsRefused: before sudo is asked for anything, and whatever the host's `id` answers.
func TestTheApplicationsLoginIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ login, says string }{
		"by the connection, while id lies": {"app", "admin"},
		"by a connection of no name":       {"", "admin"},
		"by the host":                      {"deploy", "app"},
		"by both":                          {"app", "app"},
		"a connection without a user":      {"", "admin"},
	} {
		fake := &host{uid: "1000", files: map[string][]byte{}, login: c.says}
		_, err := Begin(t.Context(), Host{Name: "pp1", Host: fake, Login: c.login, Application: "app",
			Password: func(context.Context) ([]byte, error) { t.Error("asked for a password"); return nil, nil }}, binaries(t))
		if failure := exit.From(err); failure == nil || failure.Code != exit.Refused || !errors.Is(err, ErrApplicationLogin) || len(fake.asked)+len(fake.files) > 0 {
			t.Errorf("%s: %v, ran %q", name, err, fake.asked)
		}
	}
	fake := &host{uid: "1000", files: map[string][]byte{}, login: "admin"}
	visit, err := Begin(t.Context(), Host{Name: "pp1", Host: fake, Login: "admin", Application: "app"}, binaries(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := visit.Close(); err != nil {
		t.Error(err)
	}
}

// TestLostConnection: whenever it is lost, the host is named, and what to type next.
func TestLostConnection(t *testing.T) {
	begin := func(h *host) (*Visit, error) {
		h.uid, h.files = "1000", map[string][]byte{}
		return Begin(t.Context(), Host{Name: "pp1", Host: h}, binaries(t))
	}
	_, atFirst := begin(&host{lost: true})
	late := &host{}
	visit, err := begin(late)
	if err != nil {
		t.Fatal(err)
	}
	late.lost = true
	_, inSetup := visit.Apply(t.Context(), proto.SetupSpec{})
	for name, err := range map[string]error{"at first": atFirst, "in setup": inSetup} {
		if failure := exit.From(err); failure == nil || failure.Code != exit.Unreachable || failure.Host != "pp1" || failure.Next != "ssh -v pp1" {
			t.Errorf("%s: %+v", name, failure)
		}
	}
}

// TestPasswordIsForSudoAlone: it goes to no program that sudo lets run without it, nobody is asked in vain, and what
// a host says of it is not repeated.
func TestPasswordIsForSudoAlone(t *testing.T) {
	spec := proto.SetupSpec{Config: proto.HostConfig{Environment: "preprod"}}
	password := func() []byte { return []byte("hush-4711") }
	begin := func(h *host, ask func(context.Context) ([]byte, error)) (*Visit, error) {
		h.uid, h.password, h.files = "1000", "hush-4711", map[string][]byte{}
		return Begin(t.Context(), Host{Name: "pp1", Host: h, Password: ask}, binaries(t))
	}
	typed := password()
	freely := &host{freely: true, report: `{"changes":[],"applied":true}`}
	visit, err := begin(freely, func(context.Context) ([]byte, error) { return typed, nil })
	if err != nil {
		t.Fatal(err)
	}
	wiped(t, typed, false)
	if _, err := visit.Apply(t.Context(), spec); err != nil {
		t.Errorf("setup read the password: %v", err)
	}
	_, err = begin(&host{echoes: true}, func(context.Context) ([]byte, error) { return password(), nil })
	if err == nil || strings.Contains(err.Error(), "hush-4711") || !strings.Contains(err.Error(), "[hidden]") {
		t.Errorf("%v", err)
	}
	if _, err := begin(&host{lost: true}, func(context.Context) ([]byte, error) { t.Error("asked"); return nil, nil }); exit.From(err).Code != exit.Unreachable {
		t.Errorf("%v", err)
	}
}

func TestSetupThatFailsIsTold(t *testing.T) {
	fake := &host{uid: "0", files: map[string][]byte{}, report: `{"changes":[],"error":{"code":"storage","message":"cannot write: disk full\n  next: no","advice":{"code":"disk","path":"/var"}}}`}
	visit, err := Begin(t.Context(), Host{Name: "rp-preprod", Host: fake}, binaries(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = visit.Uninstall(t.Context(), false)
	if failure := exit.From(err); failure == nil || failure.Code != exit.HostFailed || failure.Next != "ssh rp-preprod df -h /var" || !strings.Contains(failure.Error(), "rp-preprod: cannot write") ||
		strings.Contains(failure.Message, "\n") {
		t.Errorf("%v", err)
	}
}

func TestBinariesAreLookedAtBeforeTheyAreSent(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"text":                 {[]byte("#!/bin/sh\n"), "no Linux program"},
		"truncated":            {program(elf.EM_X86_64)[:40], "no Linux program"},
		"another architecture": {program(elf.EM_AARCH64), "the host is EM_X86_64"},
	} {
		path := filepath.Join(dir, "bad")
		if err := os.WriteFile(path, c.data, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := (Binaries{Named: path}).For("x86_64"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (Binaries{Named: filepath.Join(dir, "none")}).For("x86_64"); err == nil {
		t.Error("a missing binary was found")
	}
	if _, err := (Binaries{Rpctl: filepath.Join(dir, "rpctl")}).For("x86_64"); err == nil || !strings.Contains(err.Error(), "make build") && exit.From(err).Next == "" {
		t.Errorf("%v", err)
	}
	if _, err := (Binaries{}).For("riscv64"); err == nil {
		t.Error("there is a binary for riscv64")
	}
}

// wiped: the password that was asked for is no longer in memory.
func wiped(t *testing.T, secret []byte, neverAsked bool) {
	t.Helper()
	if left := strings.Trim(string(secret), "\x00"); left != "" && !neverAsked {
		t.Errorf("the password %q is left in memory", left)
	}
}

// TestAgentNeedsTheTeamsSignature: where releasers is beside hosts.toml, an rp-agent without one of its signatures is
// refused before a host is changed, and there is no way around by removing the signature.
func TestAgentNeedsTheTeamsSignature(t *testing.T) {
	signer := func() ssh.Signer {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		made, err := ssh.NewSignerFromKey(private)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	team, other := signer(), signer()
	line := func(namespace string) string {
		return "claire namespaces=\"" + namespace + "\" " + string(ssh.MarshalAuthorizedKey(team.PublicKey()))
	}
	good := program(elf.EM_X86_64)
	for name, c := range map[string]struct {
		releasers, namespace string
		signer               ssh.Signer
		body                 []byte
		who                  string
		refused              bool
	}{
		"signed":                {line(proto.NamespaceRelease), proto.NamespaceRelease, team, good, "claire", false},
		"nobody signs":          {"", "", nil, nil, "", false},
		"no signature":          {line(proto.NamespaceRelease), "", nil, nil, "", true},
		"by another key":        {line(proto.NamespaceRelease), proto.NamespaceRelease, other, good, "", true},
		"of another program":    {line(proto.NamespaceRelease), proto.NamespaceRelease, team, append(bytes.Clone(good), 0), "", true},
		"for another purpose":   {line(proto.NamespaceRelease), proto.NamespaceApproval, team, good, "", true},
		"key of other purposes": {line(proto.NamespaceApproval), proto.NamespaceRelease, team, good, "", true},
		"releasers is broken":   {"* nonsense", proto.NamespaceRelease, team, good, "", true},
		"releasers is empty":    {"# nobody\n", proto.NamespaceRelease, team, good, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			all := binaries(t)
			all.Releasers = filepath.Join(t.TempDir(), "releasers")
			if c.releasers != "" {
				if err := os.WriteFile(all.Releasers, []byte(c.releasers), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.signer != nil {
				made, err := signature.Sign(c.signer, c.namespace, string(c.body))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(filepath.Dir(all.Rpctl), "rp-agent.sig"), []byte(made.Signature), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := all.For("x86_64")
			if failure := exit.From(err); (err != nil) != c.refused || err != nil && (failure.Code != exit.Refused || failure.Next == "") || got.Releaser != c.who {
				t.Errorf("%q, %v", got.Releaser, err)
			}
		})
	}
}
