package wasmtest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
)

// filter is a Wasm filter of a static listener; kind is "http" or "network".
func filter(t *testing.T, kind, name string, module []byte, config string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "module.wasm")
	if err := os.WriteFile(file, module, 0o600); err != nil {
		t.Fatal(err)
	}
	value, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"name":%q,"typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.%s.wasm.v3.Wasm",
"config":{"name":%q,"vm_config":{"vm_id":%q,"runtime":"envoy.wasm.runtime.v8","code":{"local":{"filename":%q}}},
"configuration":{"@type":"type.googleapis.com/google.protobuf.StringValue","value":%s}}}}`, name, kind, name, name, file, value)
}

// proxy starts an Envoy with one listener in front of a backend, and returns the listener's address.
func proxy(t *testing.T, filters func(cluster string) string, backend string) (*testbed.Envoy, string) {
	t.Helper()
	port := testbed.FreePort(t)
	host, backendPort, err := net.SplitHostPort(backend)
	if err != nil {
		t.Fatal(err)
	}
	e := testbed.StartEnvoy(t, fmt.Appendf(nil, `{"node":{"id":"test","cluster":"test"},"static_resources":{
"listeners":[{"name":"l","address":{"socket_address":{"address":"127.0.0.1","port_value":%d}},"filter_chains":[{"filters":[%s]}]}],
"clusters":[{"name":"backend","type":"STATIC","connect_timeout":"1s","load_assignment":{"cluster_name":"backend","endpoints":[{"lb_endpoints":[
{"endpoint":{"address":{"socket_address":{"address":%q,"port_value":%s}}}}]}]}}]}}`, port, filters("backend"), host, backendPort))
	return e, testbed.Address(port)
}

func httpProxy(t *testing.T, backend http.HandlerFunc, filters ...string) (*testbed.Envoy, string) {
	t.Helper()
	server := httptest.NewServer(backend)
	t.Cleanup(server.Close)
	all := strings.Join(append(filters, `{"name":"router","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}`), ",")
	e, addr := proxy(t, func(cluster string) string {
		return fmt.Sprintf(`{"name":"hcm","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
"stat_prefix":"test","route_config":{"virtual_hosts":[{"name":"all","domains":["*"],"routes":[{"match":{"prefix":"/"},"route":{"cluster":%q}}]}]},"http_filters":[%s]}}`, cluster, all)
	}, server.Listener.Addr().String())
	return e, addr
}

// ready waits until the listener takes connections: after the modules are compiled.
func ready(t *testing.T, addr string) {
	t.Helper()
	testbed.Eventually(t, time.Minute, "the listener opens", func() (bool, string) {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil, fmt.Sprint(err)
	})
}

func TestMarkersShowTheOrderOnRequestsAndResponses(t *testing.T) {
	marker := wasmtest.Marker(t)
	seen := make(chan []string, 1)
	_, addr := httpProxy(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Values("x-plugins") },
		filter(t, "http", "one", marker, `{"name":"one","version":"7"}`),
		filter(t, "http", "unnamed", wasmtest.Unique(marker, "other"), ""))
	ready(t, addr)
	status, header, err := testbed.Get(http.DefaultClient, "http://"+addr+"/")
	if err != nil || status != 200 {
		t.Fatalf("status %d, error %v", status, err)
	}
	if got := fmt.Sprint(<-seen); got != "[one,unnamed]" {
		t.Errorf("x-plugins %s", got)
	}
	if got := fmt.Sprint(header.Values("x-plugins-response")); got != "[unnamed,one]" {
		t.Errorf("x-plugins-response %s", got)
	}
	if got := header.Get("x-plugin-version-one"); got != "7" {
		t.Errorf("x-plugin-version-one %q", got)
	}
}

func TestAMarkerShowsAPropertyIfThereIsOne(t *testing.T) {
	marker := wasmtest.Marker(t)
	seen := make(chan http.Header, 1)
	for property, want := range map[string]string{"request/path": "/x", "filter_state/nothing": "", "": ""} {
		_, addr := httpProxy(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header },
			filter(t, "http", "one", marker, fmt.Sprintf(`{"name":"one","property":%q}`, property)))
		ready(t, addr)
		if status, _, err := testbed.Get(http.DefaultClient, "http://"+addr+"/x"); err != nil || status != 200 {
			t.Fatalf("status %d, error %v", status, err)
		}
		header := <-seen
		if got := strings.Join(header.Values("x-property"), ","); got != want || header.Get("x-plugins") != "one" {
			t.Errorf("%q: got %v, want %q", property, header, want)
		}
	}
}

func TestATrapFailsTheRequest(t *testing.T) {
	_, addr := httpProxy(t, func(http.ResponseWriter, *http.Request) {}, filter(t, "http", "one", wasmtest.Marker(t), `{"trap":true}`))
	ready(t, addr)
	if status, _, err := testbed.Get(http.DefaultClient, "http://"+addr+"/"); err != nil || status < 500 {
		t.Errorf("status %d, error %v", status, err)
	}
}

func TestASlowStartTakesItsTimeOnce(t *testing.T) {
	began := time.Now()
	_, addr := httpProxy(t, func(http.ResponseWriter, *http.Request) {}, filter(t, "http", "one", wasmtest.Marker(t), `{"slowStartMillis":1500}`))
	ready(t, addr)
	if took := time.Since(began); took < 1500*time.Millisecond {
		t.Errorf("open after %s", took)
	}
	began = time.Now()
	if status, _, err := testbed.Get(http.DefaultClient, "http://"+addr+"/"); err != nil || status != 200 {
		t.Errorf("status %d, error %v", status, err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the workers were busy too: %s", took)
	}
}

func TestBrokenModulesAreRefusedByTheProxy(t *testing.T) {
	for name, c := range map[string]struct {
		module []byte
		config string
	}{
		"an unknown import":        {wasmtest.Unlinkable(t), ""},
		"code that does not hold":  {wasmtest.BrokenCode(), ""},
		"a marker that refuses":    {wasmtest.Marker(t), `{"refuse":true}`},
		"basic-auth without rules": {wasmtest.BasicAuth(t), `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := httpProxy(t, func(http.ResponseWriter, *http.Request) {}, filter(t, "http", "one", c.module, c.config))
			testbed.Eventually(t, time.Minute, "a refusal", func() (bool, string) {
				return !e.Running() && strings.Contains(e.Log(), "Unable to create Wasm plugin one"), e.Log()
			})
		})
	}
}

func TestTCPMarksTheFirstBytesAndLetsTheServerSpeakFirst(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, _ = io.WriteString(conn, "220 hello\n")
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	module := wasmtest.TCP(t)
	_, addr := proxy(t, func(cluster string) string {
		return strings.Join([]string{
			filter(t, "network", "a", module, `{"name":"a"}`),
			filter(t, "network", "b", module, `{"name":"b","upstream":true,"property":"source/nothing"}`),
			filter(t, "network", "c", module, `{"name":"c","property":"destination/address"}`),
			fmt.Sprintf(`{"name":"tcp","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy","stat_prefix":"t","cluster":%q}}`, cluster),
		}, ",")
	}, l.Addr().String())
	ready(t, addr)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(conn)
	for _, step := range []struct{ send, want string }{
		{"", "[b]220 hello\n"}, {"first\n", "[a][b][c:" + addr + "]first\n"}, {"[second]\n", "[second]\n"},
	} {
		if _, err := io.WriteString(conn, step.send); err != nil {
			t.Fatal(err)
		}
		if got, err := lines.ReadString('\n'); err != nil || got != step.want {
			t.Fatalf("after %q: %q (error %v), want %q", step.send, got, err, step.want)
		}
	}
}
