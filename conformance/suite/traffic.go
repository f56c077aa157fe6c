package suite

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/echo"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

// Request is one HTTP request.
type Request struct {
	// Address is HOST:PORT.
	Address string
	// Path is / unless given.
	Path string
	// Host is what the Host header says; the address unless given.
	Host string
	// Credentials are sent as basic authorization, as "user:password".
	Credentials string
	// TLS has the request sent over TLS to this server name; the certificate is not verified.
	TLS string
}

// Answer is what came back.
type Answer struct {
	Status int
	// Plugins are the marks that the backend saw on the request, in running order, joined by commas.
	Plugins string
	// OnResponse are the marks of the response, in running order.
	OnResponse string
	// Backend is the HOST:PORT at which the backend got the request.
	Backend string
	// Lua and Property are the request headers x-lua and x-property as the backend saw them.
	Lua, Property string
	// Body is set when the backend did not answer; Certificate is the common name of the server's certificate.
	Body, Certificate string
}

// Send sends a request, over a connection of its own.
func (w *World) Send(r Request) (a Answer, err error) { return w.SendFor(r, w.Timeouts.Request) }

// SendFor is Send with another time limit.
func (w *World) SendFor(r Request, limit time.Duration) (a Answer, err error) {
	return sendFor(r, &http.Transport{DisableKeepAlives: true}, limit)
}

func (w *World) send(r Request, transport *http.Transport) (a Answer, err error) {
	return sendFor(r, transport, w.Timeouts.Request)
}

func sendFor(r Request, transport *http.Transport, limit time.Duration) (a Answer, err error) {
	scheme := "http"
	if r.TLS != "" {
		scheme = "https"
		transport.TLSClientConfig = &tls.Config{ServerName: r.TLS, InsecureSkipVerify: true}
	}
	request, err := http.NewRequest(http.MethodGet, scheme+"://"+r.Address+cmp.Or(r.Path, "/"), nil)
	if err != nil {
		return a, err
	}
	request.Host = r.Host
	if user, password, given := strings.Cut(r.Credentials, ":"); given {
		request.SetBasicAuth(user, password)
	}
	response, err := (&http.Client{Timeout: limit, Transport: transport}).Do(request)
	if err != nil {
		return a, err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return a, err
	}
	a = Answer{Status: response.StatusCode, OnResponse: response.Header.Get("x-plugins-response"), Body: string(raw)}
	if response.TLS != nil {
		a.Certificate = response.TLS.PeerCertificates[0].Subject.CommonName
	}
	var seen echo.Answer
	if response.StatusCode == http.StatusOK && json.Unmarshal(raw, &seen) == nil {
		a.Plugins, a.Lua, a.Backend, a.Body = seen.Headers.Get("x-plugins"), seen.Headers.Get("x-lua"), seen.Backend, ""
		a.Property = seen.Headers.Get("x-property")
	}
	return a, nil
}

// Want is an answer that is waited for.
type Want struct {
	Status int
	// Plugins is compared as Answer has it, if Status is 200.
	Plugins string
	// Certificate is compared if it is not empty.
	Certificate string
}

func (want Want) is(a Answer) bool {
	return a.Status == want.Status && (want.Certificate == "" || a.Certificate == want.Certificate) && (want.Status != http.StatusOK || a.Plugins == want.Plugins)
}

// MustAnswer waits until a request is answered as wanted, and gives the answer.
func (w *World) MustAnswer(r Request, want Want) (a Answer) {
	w.t.Helper()
	eventually(w.t, w.Timeouts.Traffic, fmt.Sprintf("%+v is answered %+v", r, want), func() (bool, string) {
		var err error
		if a, err = w.Send(r); err != nil {
			return false, err.Error()
		}
		return want.is(a), fmt.Sprintf("%+v", a)
	})
	return a
}

// MustStay has requests answered as wanted for as long as Timeouts.Steady says, with no exception.
func (w *World) MustStay(r Request, want Want) {
	w.t.Helper()
	for end := time.Now().Add(w.Timeouts.Steady); time.Now().Before(end); {
		a, err := w.Send(r)
		if err != nil || !want.is(a) {
			w.t.Fatalf("%+v: %+v, %v; want %+v all the time", r, a, err, want)
		}
	}
}

// MustGreet waits until a TCP connection begins with this text and answers "text" with that one.
func (w *World) MustGreet(address, banner, answer string) {
	w.t.Helper()
	eventually(w.t, w.Timeouts.Traffic, fmt.Sprintf("%s greets with %q and answers %q", address, banner, answer), func() (bool, string) {
		first, second, err := converse(address, w.Timeouts.Request)
		return err == nil && first == banner && second == answer, fmt.Sprintf("%q, %q, %v", first, second, err)
	})
}

func converse(address string, limit time.Duration) (banner, answer string, err error) {
	conn, err := net.DialTimeout("tcp", address, limit)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", "", err
	}
	lines := bufio.NewReader(conn)
	if banner, err = lines.ReadString('\n'); err != nil {
		return banner, "", err
	}
	if _, err := io.WriteString(conn, "text\n"); err != nil {
		return banner, "", err
	}
	answer, err = lines.ReadString('\n')
	return banner, answer, err
}

// eventually polls until the condition holds, and fails the test with its last word.
func eventually(t testing.TB, limit time.Duration, what string, condition func() (bool, string)) {
	t.Helper()
	testbed.Eventually(t, limit, what, condition)
}
