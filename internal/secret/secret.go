// Package secret knows what looks like a secret: such a name or link is refused in what people write, and such a
// value is left out of what a host's programs say, where rpctl or rp-agent repeats their words. It is a net below
// the rule that nobody needs to give a secret to either program; it cannot know a secret that has no name.
package secret

import (
	"errors"
	"net/url"
	"strings"
)

// Hidden is what stands for a value that is left out.
const Hidden = "[hidden]"

// words are what the names of secrets are made of, without separators.
var words = []string{"password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "accesskey", "privatekey", "signature"}

// Name says whether a key, a variable or a parameter looks like a secret's by its name: APP_SECRET, dbPassword, access-token.
func Name(name string) bool {
	plain := strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(name))
	for _, word := range words {
		if strings.Contains(plain, word) {
			return true
		}
	}
	return false
}

// Errors of Link.
var (
	ErrLogin = errors.New("the link has a login in it: whoever sees the link could use it")
	ErrToken = errors.New("the link has a token in it: whoever sees the link could use it")
)

// Link refuses a text that has a link with a secret in it: a login before the host, or a parameter (of the query,
// or of a fragment that is written like one) with a secret's name. The error never repeats the link.
func Link(text string) error {
	for _, login := range forms().login.FindAllStringSubmatch(text, -1) {
		if loginHides(login[1], login[2]) {
			return ErrLogin
		}
	}
	_, parameters, found := strings.Cut(text, "://")
	if at := strings.IndexAny(parameters, "?#"); found && at >= 0 {
		parameters = parameters[at:]
	} else {
		return nil
	}
	for _, pair := range strings.FieldsFunc(parameters, func(r rune) bool { return strings.ContainsRune("?#&;", r) }) {
		name, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		if value != "" && Name(name) {
			return ErrToken
		}
	}
	return nil
}

// loginHides says whether the login of a link is more than a user's name: a password stands in it, or it is one of
// a web page, where a name alone is a token (https://ghp_…@github.com). ssh://git@host has no secret.
func loginHides(scheme, login string) bool {
	return strings.Contains(login, ":") || strings.HasPrefix(strings.ToLower(scheme), "http")
}
