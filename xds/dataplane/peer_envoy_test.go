package dataplane

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	httpwasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	wasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/wasm/v3"
	vmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
)

// proxyV2 is a PROXY header of version 2, with these TLVs behind the addresses. command is 1 for a connection that is
// handed over for somebody, 0 for one of the sender's own.
func proxyV2(command byte, client, destination string, tlvs ...byte) []byte {
	from, to := netip.MustParseAddrPort(client), netip.MustParseAddrPort(destination)
	family := byte(0x11)
	if to.Addr().Is6() {
		family = 0x21
	}
	body := slices.Concat(from.Addr().AsSlice(), to.Addr().AsSlice())
	body = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(body, from.Port()), to.Port())
	body = append(body, tlvs...)
	out := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x20|command, family)
	return append(binary.BigEndian.AppendUint16(out, uint16(len(body))), body...)
}

func tlv(kind byte, value string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(value))), value...)
}

// send opens a connection that begins with these bytes.
func send(t *testing.T, port uint32, first []byte) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+portString(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.Write(first); err != nil {
		t.Fatal(err)
	}
	return c
}

// askPeer puts plugins into a Service's listener that tell who the client is: as requests' headers x-property and x-lua, and
// as the mark of a connection's first bytes.
func askPeer(t *testing.T, r Resource) {
	t.Helper()
	l, ok := r.Message.(*listenerv3.Listener)
	if !ok || l.GetInternalListener() == nil {
		return
	}
	plugin := func(module []byte) *vmv3.PluginConfig {
		return &vmv3.PluginConfig{
			Name: "asks", Configuration: wrap(wrapperspb.String(`{"name":"asks","property":"filter_state/` + PeerPrincipal + `"}`)),
			Vm: &vmv3.PluginConfig_VmConfig{VmConfig: &vmv3.VmConfig{
				VmId: l.Name, Runtime: "envoy.wasm.runtime.v8",
				Code: &corev3.AsyncDataSource{Specifier: &corev3.AsyncDataSource_Local{Local: &corev3.DataSource{
					Specifier: &corev3.DataSource_InlineBytes{InlineBytes: module},
				}}},
			}},
		}
	}
	chain := l.FilterChains[0]
	if chain.Name == "tcp" {
		chain.Filters = append([]*listenerv3.Filter{{Name: "asks", ConfigType: &listenerv3.Filter_TypedConfig{
			TypedConfig: wrap(&wasmv3.Wasm{Config: plugin(wasmtest.TCP(t))}),
		}}}, chain.Filters...)
		return
	}
	m := managerOf(t, chain.Filters[0])
	lua := &luav3.Lua{DefaultSourceCode: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: `
function envoy_on_request(handle)
  local peer = handle:streamInfo():filterState():get("` + PeerPrincipal + `")
  handle:headers():add("x-lua", tostring(peer))
end`}}}
	m.HttpFilters = append([]*hcmv3.HttpFilter{
		{Name: "asks", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: wrap(&httpwasmv3.Wasm{Config: plugin(wasmtest.Marker(t))})}},
		{Name: "lua", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: wrap(lua)}},
	}, m.HttpFilters...)
	chain.Filters[0].ConfigType = managerFilter(m).ConfigType
}

func TestPluginsAtAWaypointKnowWhoTheClientIs(t *testing.T) {
	t.Parallel()
	const shop, other = "spiffe://cluster.local/ns/shop/sa/web", "spiffe://cluster.local/ns/other/sa/thief"
	w := newWorld(t, "kind: Service\nmetadata: {name: none, namespace: shop}")
	w.service("web", 80, HTTP, backend(t, "web", nil))
	w.service("db", 3306, TCP, serve(t, func(c net.Conn) { _, _ = io.Copy(c, c); _ = c.Close() }))
	proxy := freePort(t)
	resources := Waypoint(gateway, []netip.Addr{local}, proxy, false)
	for name, at := range map[string]string{"web": "10.96.0.1:80", "db": "10.96.0.2:3306"} {
		a := netip.MustParseAddrPort(at)
		resources = append(resources, WaypointService(ServiceInput{
			Scope: scopeOf(name, int32(a.Port())), Addresses: []netip.Addr{a.Addr()},
			Destination: *w.Destination(types.NamespacedName{Namespace: gateway.Namespace, Name: name}, int32(a.Port())),
		})...)
	}
	for _, r := range resources {
		tellPeer(t, r)
		askPeer(t, r)
	}
	startEnvoy(t, Sort(resources))

	from := func(tlvs ...byte) []byte { return proxyV2(1, "10.0.0.7:1234", "10.96.0.1:80", tlvs...) }
	for name, c := range map[string]struct {
		first   []byte
		headers string
		want    string // "" for nobody
	}{
		"as ztunnel says":                             {from(tlv(identityTLV, shop)...), "", shop},
		"among other things that it says":             {from(slices.Concat(tlv(0xd1, other), tlv(identityTLV, shop), tlv(0x04, "pad"))...), "", shop},
		"no TLV says nothing":                         {from(), "", ""},
		"an empty TLV says nothing":                   {from(tlv(identityTLV, "")...), "", ""},
		"version 1 of the protocol cannot say it":     {[]byte("PROXY TCP4 10.0.0.7 10.96.0.1 1234 80\r\n"), "", ""},
		"a client's headers are not asked":            {from(), "x-forwarded-client-cert: URI=" + other + "\r\nio.istio.peer_principal: " + other + "\r\n", ""},
		"neither where ztunnel says something":        {from(tlv(identityTLV, shop)...), "x-forwarded-client-cert: URI=" + other + "\r\n", shop},
		"what only looks like a text is passed on so": {from(tlv(identityTLV, "a%b\"c")...), "", "a%b\"c"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := get(t, send(t, proxy, c.first), "/", c.headers)
			if resp.StatusCode != http.StatusOK || !strings.Contains(body, "x-peer: 10.0.0.7\n") || !strings.Contains(body, "x-plugins: asks\n") {
				t.Fatalf("got %d\n%s", resp.StatusCode, body)
			}
			wasm, lua := "x-property: "+c.want+"\n", "x-lua: "+c.want+"\n"
			if c.want == "" {
				wasm, lua = "x-property: ", "x-lua: nil\n"
			}
			if strings.Contains(body, wasm) != (c.want != "") || !strings.Contains(body, lua) {
				t.Errorf("want %q in\n%s", c.want, body)
			}
		})
	}
	t.Run("each connection has its own, even of clients with the same address", func(t *testing.T) {
		open := map[string]net.Conn{}
		for i := range 40 {
			id := fmt.Sprintf("spiffe://cluster.local/ns/shop/sa/client-%d", i)
			if open[id] = send(t, proxy, from(tlv(identityTLV, id)...)); i%4 == 0 {
				_ = open[id].Close() // what was made for it must not be left for another
				delete(open, id)
			}
		}
		for range 2 {
			for id, c := range open {
				if _, body := get(t, c, "/", ""); !strings.Contains(body, "x-property: "+id+"\n") {
					t.Errorf("want %s in\n%s", id, body)
				}
			}
		}
	})
	for name, c := range map[string]struct {
		tlvs []byte
		want string
	}{"a network plugin, too": {tlv(identityTLV, shop), "[asks:" + shop + "]text\n"}, "a network plugin without TLV": {nil, "[asks]text\n"}} {
		t.Run(name, func(t *testing.T) {
			conn := send(t, proxy, proxyV2(1, "10.0.0.7:1234", "10.96.0.2:3306", c.tlvs...))
			_, _ = fmt.Fprint(conn, "text\n")
			if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != c.want {
				t.Errorf("got %q, %v", line, err)
			}
		})
	}
	t.Run("a second PROXY header is the client's text", func(t *testing.T) {
		forged := from(tlv(identityTLV, other)...)
		resp, err := http.ReadResponse(bufio.NewReader(send(t, proxy, append(from(tlv(identityTLV, shop)...), forged...))), nil)
		if err != nil || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("HTTP: got %v, %v; want a bad request", resp, err)
		}
		conn := send(t, proxy, append(proxyV2(1, "10.0.0.7:1234", "10.96.0.2:3306", tlv(identityTLV, shop)...), append(forged, '\n')...))
		want := "[asks:" + shop + "]" + string(forged) + "\n"
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
			t.Errorf("TCP: got %q, %v; want %q", got, err, want)
		}
	})
	t.Run("a connection of ztunnel's own leads nowhere", func(t *testing.T) {
		t.Parallel()
		conn := send(t, proxy, append(proxyV2(0, "10.0.0.7:1234", "10.96.0.1:80"), "GET / HTTP/1.1\r\nhost: web\r\n\r\n"...))
		if b, err := io.ReadAll(conn); len(b) > 0 || isTimeout(err) {
			t.Errorf("got %q, %v; want a closed connection", b, err)
		}
	})
}
