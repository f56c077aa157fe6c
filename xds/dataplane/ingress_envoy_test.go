package dataplane

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// request sends a request; the path goes out as it is written.
func request(t *testing.T, port uint32, method, host, path string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequest(method, "http://127.0.0.1:"+portString(port), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = path
	if host != "" {
		r.Host = host
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	client := http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: resp.StatusCode, backend: resp.Header.Get("backend"), header: resp.Header, body: string(b)}
}

// h2c makes a server speak HTTP/2 without TLS and nothing else.
func h2c(s *http.Server) {
	s.Protocols = new(http.Protocols)
	s.Protocols.SetUnencryptedHTTP2(true)
}

const httpWorld = `
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: wasmpoint
  listeners:
  - {name: all, port: 80, protocol: HTTP}
  - {name: api, port: 80, protocol: HTTP, hostname: "*.api.test"}
  - {name: bare, port: 81, protocol: HTTP}
---
kind: HTTPRoute
metadata: {name: base, namespace: shop, creationTimestamp: "2024-01-01T00:00:00Z"}
spec:
  parentRefs: [{name: edge, sectionName: all}]
  rules:
  - backendRefs: [{name: one, port: 80}]
---
kind: HTTPRoute
metadata: {name: paths, namespace: shop, creationTimestamp: "2024-01-02T00:00:00Z"}
spec:
  parentRefs: [{name: edge, sectionName: all}]
  hostnames: [paths.test]
  rules:
  - matches: [{path: {type: PathPrefix, value: /a}}]
    backendRefs: [{name: two, port: 80}]
  - matches: [{path: {type: Exact, value: /a/b}}]
    backendRefs: [{name: one, port: 80}]
  - matches: [{path: {type: RegularExpression, value: "/r[0-9]+/x"}}]
    backendRefs: [{name: two, port: 80}]
  - matches: [{path: {type: RegularExpression, value: '/big/\pL{3}[a-z0-9]{500,800}'}}]
    backendRefs: [{name: two, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /h}, headers: [{name: X-Kind, value: two}]}]
    backendRefs: [{name: two, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /m}, method: PUT}]
    backendRefs: [{name: two, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /q}, queryParams: [{name: v, value: "2"}]}]
    backendRefs: [{name: two, port: 80}]
---
kind: HTTPRoute
metadata: {name: filters, namespace: shop}
spec:
  parentRefs: [{name: edge, sectionName: all}]
  hostnames: [filters.test]
  rules:
  - matches: [{path: {value: /headers}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: x-set, value: "100%"}], add: [{name: x-add, value: b}], remove: [x-gone]}
    - type: ResponseHeaderModifier
      responseHeaderModifier: {set: [{name: x-answer, value: "yes"}]}
    backendRefs: [{name: one, port: 80}]
  - matches: [{path: {value: /full}}]
    filters: [{type: URLRewrite, urlRewrite: {hostname: other.test, path: {type: ReplaceFullPath, replaceFullPath: /new}}}]
    backendRefs: [{name: one, port: 80}]
  - matches: [{path: {value: /foo}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /xyz/}}}]
    backendRefs: [{name: one, port: 80}]
  - matches: [{path: {value: /drop}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: ""}}}]
    backendRefs: [{name: one, port: 80}]
  - matches: [{path: {value: /secure}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301}}]
  - matches: [{path: {value: /moved}}]
    filters: [{type: RequestRedirect, requestRedirect: {hostname: there.test, path: {type: ReplacePrefixMatch, replacePrefixMatch: /to}}}]
  - matches: [{path: {value: /mirror}}]
    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: two, port: 80}}}]
    backendRefs: [{name: one, port: 80}]
  - matches: [{path: {value: /missing}}]
    backendRefs: [{name: nobody, port: 80}]
  - matches: [{path: {value: /half}}]
    backendRefs: [{name: one, port: 80, weight: 1}, {name: nobody, port: 80, weight: 1}]
  - matches: [{path: {value: /zero}}]
    backendRefs: [{name: one, port: 80, weight: 0}, {name: two, port: 80, weight: 1}]
  - matches: [{path: {value: /none}}]
    backendRefs: [{name: one, port: 80, weight: 0}]
  - matches: [{path: {value: /slow}}]
    timeouts: {request: 10s, backendRequest: 5s}
    retry: {attempts: 3, codes: [503], backoff: 100ms}
    backendRefs: [{name: one, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-backend, value: one}]}}]}]
  - matches: [{path: {value: /h2}}]
    backendRefs: [{name: two2, port: 80}]
  - matches: [{path: {value: /web}}]
    backendRefs: [{name: web, port: 80}]
---
kind: HTTPRoute
metadata: {name: api, namespace: shop}
spec:
  parentRefs: [{name: edge, sectionName: api}]
  hostnames: ["v1.api.test", "*.api.test"]
  rules:
  - matches: [{path: {value: /two}}]
    backendRefs: [{name: two, port: 80}]
`

func TestARealEnvoyRoutesAsGatewayAPISays(t *testing.T) {
	w := newWorld(t, httpWorld)
	w.service("one", 80, HTTP, backend(t, "one", nil))
	w.service("two", 80, HTTP, backend(t, "two", nil))
	w.service("two2", 80, HTTP2, backend(t, "two2", h2c))
	w.service("web", 80, GRPCWeb, backend(t, "web", h2c))
	_, resources, ports := w.compile()
	startEnvoy(t, resources)

	for _, c := range []struct {
		name, method, host, path string
		headers                  []string
		status                   int
		backend                  string
	}{
		{name: "a host without a route of its own takes the route without hostnames", path: "/", status: 200, backend: "one"},
		{name: "a prefix matches whole segments", host: "paths.test", path: "/a/c", status: 200, backend: "two"},
		{name: "a prefix matches itself", host: "paths.test", path: "/a", status: 200, backend: "two"},
		{name: "the port in the Host header means nothing", host: "paths.test:1234", path: "/a", status: 200, backend: "two"},
		{name: "a prefix does not match half a segment, and a wider hostname's route serves the rest", host: "paths.test", path: "/ab", status: 200, backend: "one"},
		{name: "an exact path goes before a prefix", host: "paths.test", path: "/a/b", status: 200, backend: "one"},
		{name: "an expression matches the whole path", host: "paths.test", path: "/r12/x", status: 200, backend: "two"},
		{name: "an expression does not match a part", host: "paths.test", path: "/r12/xy", status: 200, backend: "one"},
		{name: "a large expression works", host: "paths.test", path: "/big/abc" + strings.Repeat("x", 600), status: 200, backend: "two"},
		{name: "a header is matched", host: "paths.test", path: "/h", headers: []string{"x-kind", "two"}, status: 200, backend: "two"},
		{name: "another header value is not", host: "paths.test", path: "/h", headers: []string{"x-kind", "one"}, status: 200, backend: "one"},
		{name: "a method is matched", method: "PUT", host: "paths.test", path: "/m", status: 200, backend: "two"},
		{name: "another method is not", host: "paths.test", path: "/m", status: 200, backend: "one"},
		{name: "a query parameter is matched", host: "paths.test", path: "/q?v=2", status: 200, backend: "two"},
		{name: "another query parameter is not", host: "paths.test", path: "/q?v=3", status: 200, backend: "one"},
		{name: "dot segments and doubled slashes are resolved before anything matches", host: "paths.test", path: "/x/..//a/c", status: 200, backend: "two"},
		{name: "escaped slashes are slashes", host: "paths.test", path: "/a%2Fb", status: 200, backend: "one"},
		{name: "a path does not get above the root", host: "paths.test", path: "/../a", status: 200, backend: "two"},
		{name: "a filter that is not supported is answered 500", host: "filters.test", path: "/mirror", status: 500},
		{name: "a missing backend is answered 500", host: "filters.test", path: "/missing", status: 500},
		{name: "a backend of weight 0 gets nothing", host: "filters.test", path: "/zero", status: 200, backend: "two"},
		{name: "weights that are all 0 are answered 500", host: "filters.test", path: "/none", status: 500},
		{name: "a port that declares HTTP/2 is spoken to in HTTP/2", host: "filters.test", path: "/h2", status: 200, backend: "two2"},
		{name: "a more specific listener owns its hosts", host: "v1.api.test", path: "/", status: 404},
		{name: "and serves its own routes", host: "v2.api.test", path: "/two", status: 200, backend: "two"},
	} {
		t.Run(c.name, func(t *testing.T) {
			method := c.method
			if method == "" {
				method = "GET"
			}
			got := request(t, ports[80], method, c.host, c.path, c.headers...)
			if got.status != c.status || got.backend != c.backend {
				t.Errorf("got %d from %q, want %d from %q\n%s", got.status, got.backend, c.status, c.backend, got.body)
			}
		})
	}
	t.Run("a listener without routes answers 404", func(t *testing.T) {
		if got := request(t, ports[81], "GET", "", "/"); got.status != 404 {
			t.Errorf("got %d", got.status)
		}
	})
	for _, c := range []struct{ name, path, want string }{
		{"a full path is replaced, and the host", "/full/x?y=1", "/new?y=1 host=other.test"},
		{"a prefix is replaced", "/foo/bar?y=1", "/xyz/bar?y=1 host"},
		{"a prefix that is the whole path is replaced", "/foo", "/xyz host"},
		{"a slash after the prefix stays", "/foo/", "/xyz/ host"},
		{"a prefix is dropped", "/drop/bar", " /bar host"},
		{"a prefix that is the whole path leaves a slash", "/drop", " / host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := request(t, ports[80], "GET", "filters.test", c.path); !strings.Contains(got.body, c.want) {
				t.Errorf("got\n%swant %q", got.body, c.want)
			}
		})
	}
	t.Run("headers are set, added, removed and passed through", func(t *testing.T) {
		got := request(t, ports[80], "GET", "filters.test", "/headers", "x-add", "a", "x-gone", "1", "x-set", "old")
		for _, want := range []string{"x-set: 100%\n", "x-add: a|b\n"} {
			if !strings.Contains(got.body, want) {
				t.Errorf("want %q in\n%s", want, got.body)
			}
		}
		if strings.Contains(got.body, "x-gone") || got.header.Get("x-answer") != "yes" || got.header.Get("server") != "mine" {
			t.Errorf("got %v\n%s", got.header, got.body)
		}
	})
	t.Run("a backend's own headers and timeouts are accepted", func(t *testing.T) {
		if got := request(t, ports[80], "GET", "filters.test", "/slow"); !strings.Contains(got.body, "x-backend: one\n") {
			t.Errorf("got\n%s", got.body)
		}
	})
	for _, c := range []struct {
		name, host, path, want string
		status                 int
	}{
		{"a redirect to https drops the port", "filters.test:8080", "/secure/x?y=1", "https://filters.test/secure/x?y=1", 301},
		{"a redirect to another host replaces the prefix", "filters.test", "/moved/x", "http://there.test/to/x", 302},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := request(t, ports[80], "GET", c.host, c.path)
			if got.status != c.status || got.header.Get("location") != c.want {
				t.Errorf("got %d %q, want %d %q", got.status, got.header.Get("location"), c.status, c.want)
			}
		})
	}
	t.Run("the share of a missing backend is answered 500", func(t *testing.T) {
		counts := map[int]int{}
		for range 100 {
			counts[request(t, ports[80], "GET", "filters.test", "/half").status]++
		}
		if counts[200] < 20 || counts[500] < 20 || counts[200]+counts[500] != 100 {
			t.Errorf("got %v", counts)
		}
	})
	t.Run("gRPC-Web is turned into gRPC for a backend that declares it, only for that", func(t *testing.T) {
		grpcWeb := []string{"content-type", "application/grpc-web"}
		if got := request(t, ports[80], "POST", "filters.test", "/web", grpcWeb...).header.Get("saw-type"); got != "application/grpc" {
			t.Errorf("the backend that declares gRPC-Web saw %q", got)
		}
		if got := request(t, ports[80], "POST", "", "/", grpcWeb...).header.Get("saw-type"); got != "application/grpc-web" {
			t.Errorf("the backend that does not saw %q", got)
		}
	})
}
