package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/re-connect/rpctl/controller/internal/inventory"
)

const revision = "0123456789abcdef0123456789abcdef01234567"

func TestCheckOnce(t *testing.T) {
	header := func(value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Revision", value) }
	}
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/login?token=hush")
			w.WriteHeader(code)
		}
	}
	byHeader, byJSON := inventory.Health{Status: 200, RevisionHeader: "X-Revision"}, inventory.Health{Status: 200, RevisionJSON: "build.revision"}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		health  inventory.Health
		want    string
		ok      bool
		detail  string
	}{
		"status":               {status(204), inventory.Health{Status: 204}, revision, true, "answers 204"},
		"default status":       {status(200), inventory.Health{}, revision, true, "answers 200"},
		"another status":       {status(503), inventory.Health{Status: 200}, "", false, "answers 503, not 200"},
		"redirect":             {status(302), inventory.Health{Status: 200}, "", false, "/login), not 200"},
		"redirect is wanted":   {status(302), inventory.Health{Status: 302}, "", true, "answers 302"},
		"header":               {header(revision), byHeader, revision, true, "answers 200, serves " + revision},
		"short header":         {header("0123456"), byHeader, revision, true, "answers 200, serves 0123456"},
		"short wish":           {header(revision), byHeader, "01234567", true, "serves " + revision},
		"upper case":           {header("0123456789ABCDEF"), byHeader, revision, true, "serves 0123456789ABCDEF"},
		"too short":            {header("012345"), byHeader, revision, false, "serves 012345, not " + revision},
		"too short a wish":     {header(revision), byHeader, "012345", false, "not 012345"},
		"old revision":         {header("fedcba9876543210"), byHeader, revision, false, "answers 200, but serves fedcba9876543210, not " + revision},
		"no header":            {status(200), byHeader, revision, false, "answers 200, but tells no revision in header X-Revision"},
		"no wish":              {header("abc"), byHeader, "", true, "answers 200, serves abc"},
		"JSON":                 {body(`{"build":{"revision":"0123456789"}}`), byJSON, revision, true, "serves 0123456789"},
		"JSON number":          {body(`{"build":{"revision":12345678}}`), byJSON, "12345678", true, "serves 12345678"},
		"JSON without it":      {body(`{"build":"x"}`), byJSON, revision, false, "tells no revision in build.revision of the JSON"},
		"JSON with a list":     {body(`{"build":{"revision":["x"]}}`), byJSON, revision, false, "tells no revision"},
		"no JSON":              {body(`<html>`), byJSON, revision, false, "the revision cannot be read: the answer is no JSON"},
		"endless JSON":         {body(`"` + strings.Repeat("x", maxBody) + `"`), byJSON, revision, false, "longer than 1024 KiB"},
		"control in a JSON":    {body(`{"build":{"revision":"\u001b[2Jabcdefgh"}}`), byJSON, revision, false, `serves \x1b[2Jabcdefgh, not`},
		"JSON after the value": {body(`{"build":{"revision":"0123456789"}} trailing`), byJSON, revision, true, "serves 0123456789"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			defer server.Close()
			test.health.URL = server.URL + "/health"
			got := Check(t.Context(), test.health, test.want, Options{For: time.Nanosecond})
			if got.OK != test.ok || !strings.Contains(got.Detail, test.detail) || got.Attempts != 1 {
				t.Errorf("got %+v, want ok %v and %q", got, test.ok, test.detail)
			}
			if strings.Contains(got.Detail, "hush") {
				t.Error("a redirect's query is shown")
			}
		})
	}
}

func TestCheckWithoutServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	got := Check(t.Context(), inventory.Health{URL: server.URL}, "", Options{For: time.Nanosecond})
	if got.OK || got.Status != 0 || !strings.HasPrefix(got.Detail, "no answer: ") || !strings.Contains(got.Detail, "refused") {
		t.Errorf("got %+v", got)
	}
}

// TestProxysLogin: Go quotes a proxy that it cannot use, login and all.
func TestProxysLogin(t *testing.T) {
	for _, proxy := range []string{"http://alice:hush%zz@127.0.0.1:9", "http://alice:hu/sh@127.0.0.1:9", "http://alice:hush@127.0.0.1:1"} {
		transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
			parsed, err := url.Parse(proxy)
			if err != nil {
				return nil, fmt.Errorf("invalid proxy address %q: %w", proxy, err) // as http.ProxyFromEnvironment does
			}
			return parsed, nil
		}}
		got := Check(t.Context(), inventory.Health{URL: "https://pro.example.org/health"}, "", Options{For: time.Nanosecond, Transport: transport})
		if got.OK || !strings.HasPrefix(got.Detail, "no answer: ") || strings.Contains(got.Detail, "hu") {
			t.Errorf("%s: %+v", proxy, got)
		}
	}
}

// answers is a server that gives one answer after the other, the last one for ever; nil hangs
// until the request is given up.
type answers struct {
	codes []int
	asked []time.Time
}

func (a *answers) RoundTrip(request *http.Request) (*http.Response, error) {
	a.asked = append(a.asked, time.Now())
	code := a.codes[min(len(a.asked), len(a.codes))-1]
	switch code {
	case 0:
		<-request.Context().Done()
		return nil, request.Context().Err()
	case -1:
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody, Request: request}, nil
}

func TestCheckAsksAgain(t *testing.T) {
	for name, test := range map[string]struct {
		codes    []int
		ok       bool
		attempts int
		took     time.Duration
		detail   string
	}{
		"at once":         {[]int{200}, true, 1, 0, "answers 200"},
		"after warming":   {[]int{-1, 503, 200}, true, 3, 2 * time.Second, "answers 200"},
		"never":           {[]int{503}, false, 10, 9500 * time.Millisecond, "answers 503, not 200"},
		"hangs first":     {[]int{0, 200}, true, 2, 3 * time.Second, "answers 200"},
		"hangs for ever":  {[]int{0}, false, 4, 12 * time.Second, "no answer: nothing within 3s"},
		"never connected": {[]int{-1}, false, 10, 9500 * time.Millisecond, "no answer: connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &answers{codes: test.codes}
				begun := time.Now()
				got := Check(t.Context(), inventory.Health{URL: "http://app/"}, "", Options{
					For: 9500 * time.Millisecond, Every: time.Second, Timeout: 3 * time.Second, Transport: server,
				})
				if got.OK != test.ok || got.Attempts != test.attempts || got.Detail != test.detail {
					t.Errorf("got %+v", got)
				}
				if took := time.Since(begun); took != test.took {
					t.Errorf("took %s, want %s", took, test.took)
				}
			})
		})
	}
}

func TestCheckInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 1500*time.Millisecond, context.Canceled)
		defer cancel()
		begun := time.Now()
		got := Check(ctx, inventory.Health{URL: "http://app/"}, "", Options{Transport: &answers{codes: []int{503}}})
		if got.OK || got.Attempts != 2 || time.Since(begun) != 1500*time.Millisecond {
			t.Errorf("got %+v after %s", got, time.Since(begun))
		}
	})
}

// FuzzFromJSON: a body of anybody's gives a revision, nothing or an error, never a panic.
func FuzzFromJSON(f *testing.F) {
	f.Add(`{"build":{"revision":"0123456"}}`, "build.revision")
	f.Add(`[1]`, "a")
	f.Add(`{"a":null}`, "a.b")
	f.Fuzz(func(t *testing.T, body, path string) {
		if found, err := fromJSON(strings.NewReader(body), path); err != nil && found != "" {
			t.Errorf("%q and %v", found, err)
		}
	})
}
