package connect

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// hostKeyCheck checks one host's key, strictly: StrictHostKeyChecking is not read.
type hostKeyCheck struct {
	known   *knownHosts
	r       Resolved
	d       *Dialer
	refused error // why the key was refused, for a person
}

// address is what known_hosts knows the host as: an alias stands for itself, without port.
func (h *hostKeyCheck) address() string {
	if host, _, err := net.SplitHostPort(h.r.HostKeyAlias); err == nil && host != "" && strings.HasPrefix(h.r.HostKeyAlias, "[") {
		return strings.ToLower(h.r.HostKeyAlias) // as known_hosts writes a port, and ssh takes it
	}
	if h.r.HostKeyAlias != "" {
		return net.JoinHostPort(strings.ToLower(h.r.HostKeyAlias), "22")
	}
	return net.JoinHostPort(strings.ToLower(h.r.HostName), strconv.Itoa(h.r.Port))
}

// bare is the address without its port, under which ssh looks too, or "".
func (h *hostKeyCheck) bare() string {
	host, port, err := net.SplitHostPort(h.address())
	if err != nil || port == "22" {
		return ""
	}
	return net.JoinHostPort(host, "22")
}

// algorithms puts those of the known keys first, so that a host with several keys shows one
// that is known; the others follow, so that an unknown or changed key can be named.
func (h *hostKeyCheck) algorithms() []string {
	supported := ssh.SupportedAlgorithms().HostKeys
	known := h.known.db.HostKeyAlgorithms(h.address())
	if len(known) == 0 && h.bare() != "" {
		known = h.known.db.HostKeyAlgorithms(h.bare())
	}
	var order []string
	for _, algorithm := range append(known, supported...) {
		if slices.Contains(supported, algorithm) && !slices.Contains(order, algorithm) {
			order = append(order, algorithm)
		}
	}
	return order
}

// check is the ssh.HostKeyCallback.
func (h *hostKeyCheck) check(address string, remote net.Addr, key ssh.PublicKey) error {
	callback := h.known.db.HostKeyCallback()
	err := callback(address, remote, key)
	if bare := h.bare(); bare != "" && knownhosts.IsHostUnknown(err) && callback(bare, remote, key) == nil {
		return nil
	}
	if err != nil {
		h.refused = h.explain(key, err)
	}
	return err
}

// explain says why a host key is refused, and what would let it in.
func (h *hostKeyCheck) explain(key ssh.PublicKey, err error) error {
	shown := describe(key)
	var revoked *xknownhosts.RevokedError
	var wanted *xknownhosts.KeyError
	switch {
	case errors.As(err, &revoked):
		return &failure{message: fmt.Sprintf("the host's key %s is revoked by %s", shown, h.known.place(revoked.Revoked)), err: err}
	case errors.As(err, &wanted) && len(wanted.Want) > 0:
		return h.changed(shown, wanted)
	case errors.As(err, &wanted):
		return &failure{
			message: fmt.Sprintf("unknown host key: %s of %s is in no known_hosts file; compare it with what the host's owner says, then add it", shown, h.name()),
			next:    h.d.ssh(h.r.typed, "-o", "StrictHostKeyChecking=ask") + " true", err: err,
		}
	}
	return &failure{message: fmt.Sprintf("the host's key %s is refused: %s", shown, safe(err.Error())), next: h.d.ssh(h.r.typed, "-v"), err: err}
}

// changed tells of a key that is not the known one, and where the known one stands.
func (h *hostKeyCheck) changed(shown string, wanted *xknownhosts.KeyError) error {
	first := wanted.Want[0]
	var places []string
	for _, known := range wanted.Want {
		places = append(places, fmt.Sprintf("%s at %s", describe(known.Key), h.known.place(known)))
	}
	return &failure{
		message: fmt.Sprintf("HOST KEY CHANGED: %s shows %s, but known is %s; somebody may be listening in, or the host was made anew: ask its owner before the old key is removed",
			h.name(), shown, strings.Join(places, ", ")),
		next: fmt.Sprintf("ssh-keygen -f %s -R %s", exit.Word(h.known.file(first)), exit.Word(knownhosts.Normalize(h.address()))), err: wanted,
	}
}

// name is the host as known_hosts writes it.
func (h *hostKeyCheck) name() string { return knownhosts.Normalize(h.address()) }
