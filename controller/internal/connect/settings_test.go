package connect

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// inHome gives the test a home folder and a user of its own.
func inHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("LOGNAME", "me")
	t.Setenv("SSH_AUTH_SOCK", "/agent.sock")
	return home
}

const allOfIt = `Host a
  HostName 127.0.0.1
  Port 2222
  User bob
  IdentityFile ~/keys/id_%h
  IdentityFile /keys/%r
  IdentitiesOnly yes
  IdentityAgent ~/agent.sock
  ProxyJump j1,user@j2:2200
  ControlPath ~/.ssh/%h-%p-%r
  UserKnownHostsFile /k/one /k/%h_two
  GlobalKnownHostsFile /k/global
  HostKeyAlias foo
  ConnectTimeout 7
Host b
  IdentityAgent none
  ControlPath none
`

// TestBothReaders holds that ssh and this package read a configuration the same way.
func TestBothReaders(t *testing.T) {
	home := inHome(t)
	config := filepath.Join(home, "config")
	if err := os.WriteFile(config, []byte(allOfIt), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"ssh", "none"} {
		t.Run(program, func(t *testing.T) {
			if _, err := exec.LookPath(program); err != nil && program != "none" {
				t.Skip("no ssh program here")
			}
			dialer := New(Options{SSHConfig: config, Program: program})
			got, err := dialer.Resolve(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			// ssh itself takes ~ from the user database, not from $HOME.
			checkAll(t, got, tildeOf(t, program, home))
			got, err = dialer.Resolve(t.Context(), "b")
			if err != nil {
				t.Fatal(err)
			}
			if got.HostName != "b" || got.Port != 22 || got.AgentSocket != "" || got.ControlPath != "" {
				t.Errorf("b is %+v", got)
			}
		})
	}
}

func tildeOf(t *testing.T, program, home string) string {
	t.Helper()
	if program == "none" {
		return home
	}
	me, err := user.LookupId(strconv.Itoa(os.Getuid()))
	if err != nil {
		t.Skipf("cannot tell the home folder that ssh uses: %v", err)
	}
	return me.HomeDir
}

func checkAll(t *testing.T, got Resolved, tilde string) {
	t.Helper()
	home, _ := os.UserHomeDir()
	want := Resolved{
		Alias: "a", HostName: "127.0.0.1", Port: 2222, User: "bob",
		IdentityFiles: []string{home + "/keys/id_127.0.0.1", "/keys/bob"}, IdentitiesOnly: true,
		AgentSocket: tilde + "/agent.sock", ProxyJump: []string{"j1", "user@j2:2200"},
		KnownHosts: []string{"/k/one", "/k/127.0.0.1_two", "/k/global"}, HostKeyAlias: "foo",
		ControlPath: tilde + "/.ssh/127.0.0.1-2222-bob", ConnectTimeout: 7 * time.Second,
		Source: got.Source, jumps: got.jumps, typed: hop{host: "a"}, left: got.left,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestBuildRefuses(t *testing.T) {
	inHome(t)
	cases := []struct{ keyword, value, want string }{
		{"port", "0", "bad port"},
		{"port", "x", "bad port"},
		{"port", "65536", "bad port"},
		{"hostname", "-oProxyCommand=x", "bad HostName"},
		{"hostname", "a b", "bad HostName"},
		{"connecttimeout", "soon", "bad ConnectTimeout"},
		{"connecttimeout", "-1", "bad ConnectTimeout"},
		{"proxyjump", "a,,b", "cannot read ProxyJump"},
		{"proxyjump", "-oX", "cannot read ProxyJump"},
		{"identityfile", "~/%Z", "unknown token"},
		{"identityfile", "~/100%", "unknown token"},
		{"identityfile", "${RPCTL_TEST_UNSET}/x", "not set"},
		{"controlpath", "/a\x00b", "bad path"},
	}
	for _, c := range cases {
		_, err := settings{c.keyword: {c.value}}.build(hop{host: "h"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: got %v, want %q", c.keyword, c.value, err, c.want)
		}
	}
}

func TestBuildDefaults(t *testing.T) {
	home := inHome(t)
	got, err := settings{}.build(hop{user: "x", host: "h", port: 23})
	if err != nil {
		t.Fatal(err)
	}
	if got.User != "x" || got.Port != 23 || got.HostName != "h" || got.AgentSocket != "/agent.sock" {
		t.Errorf("got %+v", got)
	}
	if len(got.IdentityFiles) != len(defaultIdentities) || got.KnownHosts[0] != home+"/.ssh/known_hosts" {
		t.Errorf("got %+v", got)
	}
}

func TestSplitFiles(t *testing.T) {
	cases := []struct {
		in   string
		want []string
	}{
		{"", []string{"d"}},
		{"none", nil},
		{"/a /b", []string{"/a", "/b"}},
		{"/with space/kh ~/b", []string{"/with space/kh", "~/b"}},
		{"relative", []string{"relative"}},
		{`"/a" "/b"`, []string{"/a", "/b"}},
	}
	for _, c := range cases {
		if got := splitFiles(c.in, []string{"d"}); !reflect.DeepEqual(got, c.want) {
			t.Errorf("splitFiles(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestParseJumps(t *testing.T) {
	cases := []struct {
		in   string
		want []hop
		bad  bool
	}{
		{in: "", want: nil},
		{in: "none", want: nil},
		{in: "a", want: []hop{{host: "a"}}},
		{in: "u@a:2200, b", want: []hop{{"u", "a", 2200}, {"", "b", 0}}},
		{in: "ssh://u@a:22/", want: []hop{{"u", "a", 22}}},
		{in: "[::1]:22", want: []hop{{"", "::1", 22}}},
		{in: "u@x@a", want: []hop{{"u@x", "a", 0}}},
		{in: "@a", bad: true},
		{in: "a:99999", bad: true},
		{in: "a b", bad: true},
		{in: "$(x)", bad: true},
	}
	for _, c := range cases {
		got, err := parseJumps(c.in)
		if c.bad != (err != nil) || !c.bad && !reflect.DeepEqual(got, c.want) {
			t.Errorf("parseJumps(%q) = %+v, %v", c.in, got, err)
		}
	}
}

func FuzzParseSettings(f *testing.F) {
	f.Add("hostname x\nport 22\nproxyjump a,b@c:3\nidentityfile ~/%h ${HOME}\nuserknownhostsfile /a b /c\n")
	f.Add("HostName  x\r\nport\nproxycommand none\ncontrolpath ~/%C\nconnecttimeout none")
	f.Fuzz(func(t *testing.T, output string) {
		resolved, err := parseSettings([]byte(output)).build(hop{host: "h"})
		if err != nil {
			return
		}
		if strings.HasPrefix(resolved.HostName, "-") || resolved.Port < 1 || resolved.Port > 65535 || resolved.User == "" {
			t.Errorf("%q was taken as %+v", output, resolved)
		}
		for _, jump := range resolved.jumps {
			if again, err := parseJumps(jump.String()); err != nil || len(again) != 1 || again[0] != jump {
				t.Errorf("jump %+v reads back as %+v, %v", jump, again, err)
			}
		}
	})
}
