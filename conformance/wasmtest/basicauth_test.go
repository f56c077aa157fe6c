package wasmtest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
)

func TestBasicAuthOnARealProxy(t *testing.T) {
	const mark = "X-Wasmpoint-Basic-Auth"
	_, addr := httpProxy(t,
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Seen", strings.Join(r.Header[mark], "|"))
		},
		filter(t, "http", "basic-auth", wasmtest.BasicAuth(t), `{"basic_auth_rules":[{"prefix":"/productpage","request_methods":["GET","POST"],
			"credentials":["ok:test","YWRtaW4zOmFkbWluMw=="]}]}`))
	ready(t, addr)
	for _, c := range []struct {
		name, path string
		headers    http.Header
		status     int
		seen       string
	}{
		{"no credentials", "/productpage", nil, 401, ""},
		{"an empty Authorization header", "/productpage", http.Header{"Authorization": {""}}, 401, ""},
		{"credentials given as base64", "/productpage", http.Header{"Authorization": {"Basic YWRtaW4zOmFkbWluMw=="}}, 200, "passed"},
		{"credentials given in clear", "/productpage", http.Header{"Authorization": {"Basic b2s6dGVzdA=="}}, 200, "passed"},
		{"wrong credentials", "/productpage", http.Header{"Authorization": {"Basic MXQtaW4zOmFkbWluMw=="}}, 401, ""},
		{"two Authorization headers", "/productpage", http.Header{"Authorization": {"Basic b2s6dGVzdA==", "Basic b2s6bm8="}}, 401, ""},
		{"a query string", "/productpage?u=normal", nil, 401, ""},
		{"another spelling of the path", "/x/..//%70roductpage", nil, 401, ""},
		{"a path that no rule covers", "/static", nil, 200, "not-required"},
		{"forged marks", "/static", http.Header{mark: {"passed", "passed"}}, 200, "not-required"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodGet, "http://"+addr+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range c.headers {
				r.Header[k] = v
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			if resp.StatusCode != c.status || resp.Header.Get("Seen") != c.seen {
				t.Errorf("status %d, the backend saw %q, want %d, %q", resp.StatusCode, resp.Header.Get("Seen"), c.status, c.seen)
			}
			if challenge := resp.Header.Get("Www-Authenticate"); (resp.StatusCode == http.StatusUnauthorized) != (challenge == `Basic realm="istio"`) {
				t.Errorf("status %d with challenge %q", resp.StatusCode, challenge)
			}
		})
	}
	if status, _, err := testbed.Get(http.DefaultClient, "http://"+addr+"/static"); err != nil || status != 200 {
		t.Errorf("afterwards: status %d, error %v", status, err)
	}
}
