package connect

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/re-connect/rpctl/internal/printable"
)

// hop is a host as an alias or a ProxyJump entry names it. An empty user and port 0
// leave them to the configuration.
type hop struct {
	user string
	host string
	port int
}

// hostForm keeps options, spaces and shell characters out of argv and out of ssh's own
// expansions; ssh refuses most of the same.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,254}$`)

var userForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}$`)

func (h hop) check() error {
	if !hostForm.MatchString(h.host) {
		return fmt.Errorf("bad host alias %q: want a name from ~/.ssh/config", printable.Excerpt(h.host, 60))
	}
	if h.user != "" && !userForm.MatchString(h.user) {
		return fmt.Errorf("bad user name %q", printable.Excerpt(h.user, 60))
	}
	return nil
}

// String is the hop as it is typed: user@host:port, as far as they are given.
func (h hop) String() string {
	text := h.host
	if h.port != 0 {
		text = net.JoinHostPort(h.host, strconv.Itoa(h.port))
	}
	if h.user != "" {
		text = h.user + "@" + text
	}
	return text
}

// parseJumps reads a ProxyJump value: hops in the order in which they are passed, each
// [user@]host[:port] or ssh://[user@]host[:port] (ssh_config(5)); "none" is no hop.
func parseJumps(value string) ([]hop, error) {
	if value == "" || strings.EqualFold(value, "none") {
		return nil, nil
	}
	var hops []hop
	for _, text := range strings.Split(value, ",") {
		one, err := parseHop(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("cannot read ProxyJump %q: %w", printable.Excerpt(value, 120), err)
		}
		hops = append(hops, one)
	}
	return hops, nil
}

func parseHop(text string) (hop, error) {
	rest := strings.TrimSuffix(strings.TrimPrefix(text, "ssh://"), "/")
	var one hop
	if at := strings.LastIndex(rest, "@"); at >= 0 { // a user name may hold an @ itself
		one.user, rest = rest[:at], rest[at+1:]
		if one.user == "" {
			return hop{}, fmt.Errorf("bad jump host %q: no user before @", printable.Excerpt(text, 60))
		}
	}
	one.host = rest
	if strings.Count(rest, ":") == 1 || strings.HasPrefix(rest, "[") {
		host, port, err := splitPort(rest)
		if err != nil {
			return hop{}, err
		}
		one.host, one.port = host, port
	}
	return one, one.check()
}

// splitPort takes host:port, [host]:port and [host].
func splitPort(text string) (host string, port int, err error) {
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		return text[1 : len(text)-1], 0, nil
	}
	host, digits, err := net.SplitHostPort(text)
	if err != nil {
		return "", 0, fmt.Errorf("bad jump host %q: want [user@]host[:port]", printable.Excerpt(text, 60))
	}
	port, err = parsePort(digits)
	return host, port, err
}

func parsePort(digits string) (int, error) {
	port, err := strconv.Atoi(digits)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("bad port %q", printable.Excerpt(digits, 20))
	}
	return port, nil
}
