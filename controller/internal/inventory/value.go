package inventory

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/internal/secret"
)

// hostForm is an OpenSSH alias. A leading dash would be an option to ssh; user and
// port belong to ~/.ssh/config.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$`)

// headerForm is an HTTP field name that a person would choose (RFC 9110, 5.1, cut down).
var headerForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)

func checkHost(alias string) error {
	if !hostForm.MatchString(alias) {
		return fmt.Errorf("bad host %q: want an alias of ~/.ssh/config like rp-preprod (user and port stand there)", alias)
	}
	return nil
}

// checkBranch keeps to git-check-ref-format(1), less what would be an option or needs quoting.
func checkBranch(name string) error {
	bad := name == "" || len(name) > 200 || name == "@" || name == "HEAD" ||
		strings.HasPrefix(name, "-") || strings.HasSuffix(name, ".") ||
		strings.Contains(name, "..") || strings.Contains(name, "@{") ||
		strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r) })
	for _, part := range strings.Split(name, "/") {
		bad = bad || part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock")
	}
	if bad {
		return fmt.Errorf("bad branch name %q: want a name like dev, as git branch lists it", name)
	}
	return nil
}

// shellWords do something in a shell, and nothing in an argv.
var shellWords = []string{"&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1"}

// checkArgv refuses what was meant for a shell, and what the team and every process list would read. The error
// goes on after the command's name.
func checkArgv(argv []string) error {
	for _, word := range argv {
		if err := secret.Link(word); err != nil {
			return fmt.Errorf("has a secret in it: %w; secrets never live here, let the command read it from its own configuration", err)
		}
	}
	switch {
	case len(argv) == 0:
		return errors.New("is empty: want a list of words like [\"make\", \"deploy-preprod\"]")
	case argv[0] == "" || strings.HasPrefix(argv[0], "-"):
		return fmt.Errorf("begins with %q: want a program's name", argv[0])
	case strings.ContainsAny(argv[0], " \t\n"):
		words := strings.Fields(argv[0])
		return fmt.Errorf("begins with %q: no shell will cut it into words, write [\"%s\"]", argv[0], strings.Join(words, `", "`))
	}
	for _, word := range argv {
		if slices.Contains(shellWords, word) {
			return fmt.Errorf("has %q in it: no shell will read it, put the line into a script or a make target", word)
		}
	}
	return nil
}

func (c checker) health(at string, h health) {
	c.text(at, "url", h.URL, checkURL)
	if h.Status != nil && (*h.Status < 100 || *h.Status > 599) {
		c.doc.Refuse(at+".status", "`status` %d is no HTTP status", *h.Status)
	}
	if c.doc.Has(at+".revision_header") && !headerForm.MatchString(h.RevisionHeader) {
		c.doc.Refuse(at+".revision_header", "bad header name %q: want one like X-Revision", h.RevisionHeader)
	}
	if c.doc.Has(at+".revision_json") && slices.Contains(strings.Split(h.RevisionJSON, "."), "") {
		c.doc.Refuse(at+".revision_json", "bad path %q: want names with dots between them, like build.revision", h.RevisionJSON)
	}
	if c.doc.Has(at+".revision_header") && c.doc.Has(at+".revision_json") {
		c.doc.Refuse(at+".revision_json", "`revision_header` is set too (line %d): the revision is read in one place", c.doc.Line(at+".revision_header"))
	}
}

// checkURL never repeats the URL: it may have a password in it.
func checkURL(text string) error {
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == "":
		return errors.New("bad health URL: want one like https://pro.example.org/health")
	case secret.Link(text) != nil:
		return fmt.Errorf("%w; secrets never live here", secret.Link(text))
	case parsed.Fragment != "":
		return errors.New("bad health URL: a fragment (#) never reaches the server")
	}
	return nil
}
