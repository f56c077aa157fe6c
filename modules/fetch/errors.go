package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/wasmpoint/wasmpoint/modules/location"
)

// Kind says what went wrong, as far as it decides what to do next.
type Kind int

// The kinds of errors.
const (
	// Unavailable: the source did not answer, or not usefully. Nothing is known about the module.
	Unavailable Kind = iota
	// Denied: the source refused the credentials, or wants some.
	Denied
	// Corrupt: a blob had other bytes than its digest promises.
	Corrupt
	// Mismatch: the content is sound, but not the one that the plugin's sha256 names.
	Mismatch
	// Invalid: the content is sound, but no usable module.
	Invalid
)

// Error is a failed fetch. Its text is for users and never holds a credential or the query of a URL.
type Error struct {
	Kind Kind
	Msg  string
	// RetryAfter is how long the source asked to wait, 0 if it did not.
	RetryAfter time.Duration
}

func (e *Error) Error() string { return e.Msg }

func errf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

// explain turns an error of the network or of the registry into one for users. name is the URL as shown to users.
func explain(name string, req Request, trip *trip, err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		if !strings.Contains(own.Msg, name) {
			own = &Error{Kind: own.Kind, Msg: name + ": " + own.Msg, RetryAfter: own.RetryAfter}
		}
		return own
	}
	var answer *transport.Error
	if errors.As(err, &answer) {
		return status(name, req, trip, answer.StatusCode, registryText(answer))
	}
	return &Error{Kind: Unavailable, RetryAfter: trip.retryAfter(), Msg: name + ": " + scrub(network(err), req)}
}

// status is the error for an HTTP status that is no success.
func status(name string, req Request, trip *trip, code int, text string) *Error {
	what := fmt.Sprintf("%s: the server answered %d %s", name, code, http.StatusText(code))
	if text = scrub(text, req); text != "" {
		what += " (" + text + ")"
	}
	e := &Error{Kind: Unavailable, RetryAfter: trip.retryAfter()}
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		e.Kind = Denied
		what += "; " + deniedHint(req)
	case code == http.StatusNotFound && req.Location.Kind == location.OCI:
		what += "; check repository and tag, and whether a pull secret is needed"
	case code == http.StatusNotFound || code == http.StatusGone:
		what += "; check the path"
	case code == http.StatusTooManyRequests:
		what += "; the server limits requests, the next try waits"
	}
	e.Msg = what
	return e
}

func deniedHint(req Request) string {
	host := req.Location.Host()
	switch {
	case req.Location.Kind == location.HTTP:
		return "HTTP sources must be public; put a private module into an OCI registry and set imagePullSecret"
	case hasAuth(req.Auth):
		return "correct the entry for " + host + " in the pull secret"
	case req.HasSecret:
		return "the pull secret has no entry for " + host + "; add one"
	}
	return "if the image is private, set imagePullSecret to a Secret of type kubernetes.io/dockerconfigjson with an entry for " + host
}

// registryText is what a registry's error answer says, shortened to one line.
func registryText(e *transport.Error) string {
	var parts []string
	for _, d := range e.Errors {
		parts = append(parts, strings.TrimSuffix(string(d.Code)+": "+d.Message, ": "))
	}
	return oneLine(strings.Join(parts, "; "), 200)
}

// network is the text of a network error without the URL that net/http puts in front: its query may be a signature.
func network(err error) string {
	var u *url.Error
	for errors.As(err, &u) && u.Err != nil {
		err = u.Err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "the fetch took too long and was given up"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection broke before everything was sent"
	}
	return oneLine(err.Error(), 400)
}

func oneLine(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > n {
		s = s[:n] + "…"
	}
	return s
}

// scrub takes credentials out of a text, wherever they came from.
func scrub(s string, req Request) string {
	for _, secret := range []string{req.Auth.Password, req.Auth.Auth, req.Auth.IdentityToken, req.Auth.RegistryToken} {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	return s
}
