package standalone_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

var client = &http.Client{Timeout: 5 * time.Second}

// credentials satisfy authConfig ("ok:test").
const credentials = "Basic b2s6dGVzdA=="

// get asks once, with credentials.
func get(addr, path string) (status int, h http.Header, err error) {
	return testbed.Get(client, "http://"+addr+path, "Authorization", credentials)
}

// anonymous asks once, without credentials.
func anonymous(addr, path string) (status int, h http.Header, err error) {
	return testbed.Get(client, "http://"+addr+path)
}

// answers waits for a status and for the plugins that the backend saw on the request, in running order.
func (w *world) answers(addr, path string, code int, plugins string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%s%s answers %d with plugins %q", addr, path, code, plugins), func() (bool, string) {
		status, h, err := get(addr, path)
		if err != nil {
			return false, err.Error()
		}
		got := h.Get("x-saw")
		return status == code && got == plugins, fmt.Sprintf("status %d, plugins %q", status, got)
	})
}

// stays asks n times and fails at the first answer that is another one.
func (w *world) stays(addr, path string, code int, plugins string, n int) {
	w.t.Helper()
	for range n {
		status, h, err := get(addr, path)
		if err != nil || status != code || h.Get("x-saw") != plugins {
			w.t.Fatalf("%s%s: status %d, plugins %q, error %v; want %d, %q", addr, path, status, h.Get("x-saw"), err, code, plugins)
		}
	}
}
