// Package secret knows what looks like a secret: such a name or link is refused in what people write, and such a
// value is left out of what a host's programs say, where rpctl or rp-agent repeats their words. It is a net below
// the rule that nobody needs to give a secret to either program; it cannot know a secret that has no name.
package secret

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// Hidden is what stands for a value that is left out.
const Hidden = "[hidden]"

// words are what the names of secrets are made of, without separators.
var words = []string{"password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "accesskey", "privatekey", "signature"}

// Name says whether a key, a variable or a parameter looks like a secret's by its name: APP_SECRET, dbPassword, access-token.
func Name(name string) bool {
	short := plain(name)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(short, word) })
}

// plain is a name without what separates its words.
func plain(name string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(name))
}

// parameters are names of secrets in a link that mean something harmless as a part of another name: projectKey, passage.
var parameters = []string{
	"pass", "pwd", "pw", "sig", "auth", "authorization", "bearer", "session", "sessionid", "jsessionid", "phpsessid", "jwt", "code", "otp", "key",
}

// parameter says whether a parameter of a link is a secret by its name.
func parameter(name string) bool { return Name(name) || slices.Contains(parameters, plain(name)) }

// Errors of Link.
var (
	ErrLogin = errors.New("the link has a login in it: whoever sees the link could use it")
	ErrToken = errors.New("the link has a token in it: whoever sees the link could use it")
)

// Link refuses a text that has a link with a secret in it: a login before the host, also where no scheme stands
// before it, or a parameter (of the query, of the path, of a fragment that is written like one, or of a link inside
// a parameter) with a secret's name. The error never repeats the link.
func Link(text string) error {
	for _, login := range forms().login.FindAllStringSubmatch(text, -1) {
		if loginHides(login[1], login[2]) {
			return ErrLogin
		}
	}
	for _, bare := range forms().bare.FindAllStringSubmatch(text, -1) {
		if !strings.EqualFold(bare[1], "mailto") {
			return ErrLogin
		}
	}
	_, rest, found := strings.Cut(text, "://")
	at := strings.IndexAny(rest, "?#;")
	if !found || at < 0 {
		return nil
	}
	decoded, err := url.QueryUnescape(rest[at:])
	if hasToken(rest[at:]) || err == nil && hasToken(decoded) {
		return ErrToken
	}
	return nil
}

// hasToken looks at each parameter of what follows a link's path.
func hasToken(text string) bool {
	for _, pair := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("?#&;", r) }) {
		name, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		if value != "" && parameter(name) {
			return true
		}
	}
	return false
}

// loginHides says whether the login of a link is more than a user's name: a password stands in it, or it is one of
// a web page, where a name alone is a token (https://ghp_…@github.com). ssh://git@host has no secret.
func loginHides(scheme, login string) bool {
	return strings.Contains(login, ":") || strings.HasPrefix(strings.ToLower(scheme), "http")
}
