// Package health asks the deployed application whether it answers, and which
// revision it serves.
package health

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/secret"
)

// The defaults of Options.
const (
	DefaultFor     = 30 * time.Second
	DefaultEvery   = time.Second
	DefaultTimeout = 5 * time.Second
)

// minRevision is how many characters of a revision must be there to compare it: git's own short form.
const minRevision = 7

// maxBody is how much of a JSON answer is read, in bytes.
const maxBody = 1 << 20

// Options says how patient a check is; a field that is 0 has its default.
type Options struct {
	For     time.Duration // no request begins later than this
	Every   time.Duration // between two requests
	Timeout time.Duration // of one request, its body included
	// Transport carries the requests; nil is the usual one, which minds HTTPS_PROXY.
	Transport http.RoundTripper
}

// Result is what the last request found.
type Result struct {
	OK       bool
	Status   int    // HTTP; 0 when there was no answer
	Revision string // as it is served; "" when it is not read, or not told
	Detail   string // one line: what was found, and what was wanted
	Attempts int
}

// Check asks the URL until all is well: the expected status and, where the
// inventory says where it is read and revision is not "", that revision (one may be short for
// the other, from 7 characters on). An application that has just been deployed
// may need some requests to warm up, so every fault is asked again until time is
// up or ctx ends. Redirects are not followed: a login page's 200 is nobody's health.
func Check(ctx context.Context, health inventory.Health, revision string, o Options) Result {
	client := &http.Client{
		Transport:     cmp.Or[http.RoundTripper](o.Transport, http.DefaultTransport),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	deadline, cancel := context.WithTimeout(ctx, cmp.Or(o.For, DefaultFor))
	defer cancel()
	pause := time.NewTicker(cmp.Or(o.Every, DefaultEvery))
	defer pause.Stop()
	for attempt := 1; ; attempt++ {
		result := ask(ctx, client, health, revision, cmp.Or(o.Timeout, DefaultTimeout))
		result.Attempts = attempt
		if result.OK {
			return result
		}
		select {
		case <-deadline.Done():
			return result
		case <-pause.C:
		}
		if deadline.Err() != nil {
			return result
		}
	}
}

// ask makes one request.
func ask(ctx context.Context, client *http.Client, health inventory.Health, revision string, timeout time.Duration) Result {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, health.URL, nil)
	if err != nil {
		return Result{Detail: "cannot ask the health URL: " + reason(err, timeout)}
	}
	request.Header.Set("User-Agent", "rpctl")
	request.Header.Set("Cache-Control", "no-cache")
	request.Close = true // the next request may be served by another process
	response, err := client.Do(request)
	if err != nil {
		return Result{Detail: "no answer: " + reason(err, timeout)}
	}
	defer func() { _ = response.Body.Close() }()
	result := Result{Status: response.StatusCode}
	if want := cmp.Or(health.Status, inventory.DefaultStatus); response.StatusCode != want {
		result.Detail = fmt.Sprintf("answers %d%s, not %d", response.StatusCode, redirect(response), want)
		return result
	}
	served, where, err := revisionOf(response, health)
	if err != nil {
		result.Detail = fmt.Sprintf("answers %d, but the revision cannot be read: %s", response.StatusCode, reason(err, timeout))
		return result
	}
	result.Revision = printable.Excerpt(served, 80)
	result.OK, result.Detail = compare(result, where, revision)
	return result
}

// compare says whether the served revision is the expected one.
func compare(result Result, where, want string) (bool, string) {
	switch {
	case where == "":
		return true, fmt.Sprintf("answers %d", result.Status)
	case result.Revision == "":
		return false, fmt.Sprintf("answers %d, but tells no revision in %s", result.Status, where)
	case want == "":
		return true, fmt.Sprintf("answers %d, serves %s", result.Status, result.Revision)
	case !same(result.Revision, want):
		return false, fmt.Sprintf("answers %d, but serves %s, not %s", result.Status, result.Revision, want)
	default:
		return true, fmt.Sprintf("answers %d, serves %s", result.Status, result.Revision)
	}
}

// same says that two revisions are one, of which either may be cut short.
func same(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return min(len(a), len(b)) >= minRevision && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}

// redirect says where an answer sends to, without what may be secret in it.
func redirect(response *http.Response) string {
	location, err := response.Location()
	if err != nil || response.StatusCode/100 != 3 {
		return ""
	}
	plain := url.URL{Scheme: location.Scheme, Host: location.Host, Path: location.Path}
	return " (to " + printable.Excerpt(plain.String(), 120) + ")"
}

// revisionOf reads the served revision; where is "" when the inventory does not say where it stands.
func revisionOf(response *http.Response, health inventory.Health) (revision, where string, err error) {
	switch {
	case health.RevisionHeader != "":
		return strings.TrimSpace(response.Header.Get(health.RevisionHeader)), "header " + health.RevisionHeader, nil
	case health.RevisionJSON != "":
		revision, err = fromJSON(response.Body, health.RevisionJSON)
		return revision, health.RevisionJSON + " of the JSON", err
	default:
		return "", "", nil
	}
}

// fromJSON reads the string or number at a dotted path; "" when it is not there.
func fromJSON(body io.Reader, path string) (string, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxBody {
		return "", fmt.Errorf("the answer is longer than %d KiB", maxBody>>10)
	}
	var value any
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return "", errors.New("the answer is no JSON")
	}
	for _, name := range strings.Split(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return "", nil
		}
		value = object[name]
	}
	switch found := value.(type) {
	case string:
		return strings.TrimSpace(found), nil
	case json.Number:
		return found.String(), nil
	default:
		return "", nil
	}
}

// reason is why a request failed, without the URL around it.
func reason(err error, timeout time.Duration) string {
	var around *url.Error
	if errors.As(err, &around) {
		err = around.Err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("nothing within %s", timeout)
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case strings.HasPrefix(err.Error(), "invalid proxy address"): // Go quotes it with its login, and a part of that once more
		return "the proxy in HTTPS_PROXY or HTTP_PROXY is no address like http://proxy.example:3128 (a / or % in its password is written %2F, %25)"
	default:
		return printable.Excerpt(secret.Mask(err.Error()), 200)
	}
}
