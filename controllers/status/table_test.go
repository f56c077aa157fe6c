package status

import (
	"strings"
	"testing"
	"time"
)

func TestTheTablesAlignAndLeaveNoCellEmpty(t *testing.T) {
	s := Snapshot{
		LoadErrors: []LoadError{{File: "a.yaml", Line: 3, Message: "a.yaml:3: no such field"}, {File: "b.yaml", Message: "is empty"}},
		Plugins: []PluginRow{
			{Kind: "WasmPlugin", Namespace: "default", Name: "basic-auth", Phase: "AUTHN", Accepted: true, Created: t0.Add(-5 * time.Minute),
				Targets: []TargetRow{{Kind: "Gateway", Name: "gw", Accepted: true}, {Kind: "Service", Name: "reviews"}},
				Module:  ModuleRow{URL: "oci://r/a", Digest: "sha256:0123456789abcdef", Ready: true, Reason: "ResolvedRefs"}, Running: 1, Total: 2},
			{Kind: "TrafficExtension", Namespace: "default", Name: "lua", Phase: "UNSPECIFIED", Reason: "TargetNotFound", LastError: "two\nlines"},
		},
		Proxies: []ProxyRow{
			{Gateway: "default/gw", ID: "p1", Connected: t0.Add(-time.Hour), EnvoyVersion: "1.40.0", Slots: 4, Synced: 3, LastNACK: "bad\nthing", LastNACKTime: t0.Add(-time.Minute)},
			{Gateway: "default/w", ID: "p2"},
		},
		Gateways: []GatewayRow{{Namespace: "default", Name: "gw", Class: "istio", Address: "127.64.0.9", Ports: []int32{8080, 8443}, Programmed: true}},
		Services: []ServiceRow{{Kind: "Service", Namespace: "default", Name: "reviews", Address: "127.64.0.3", Waypoint: "default/w"},
			{Kind: "Service", Namespace: "default", Name: "unbound"}},
	}
	want := `
problem: a.yaml:3: no such field (what the file held before stays in force)
problem: b.yaml: is empty (what the file held before stays in force)

NAMESPACE   NAME         KIND               TARGETS                       PHASE         ACCEPTED         MODULE         PROGRAMMED   AGE   LAST ERROR
default     basic-auth   WasmPlugin         Gateway/gw,Service/reviews!   AUTHN         True             0123456789ab   1/2          5m    -
default     lua          TrafficExtension   -                             UNSPECIFIED   TargetNotFound   inline         0/0          -     two lines

GATEWAY      PROXY   CONNECTED   ENVOY    SLOTS   SYNCED   LAST NACK
default/gw   p1      60m         1.40.0   4       3/4      60s ago: bad thing
default/w    p2      no          -        0       0/0      -

NAMESPACE   GATEWAY   CLASS   ROLE      ADDRESS      PORTS       PROGRAMMED   MESSAGE
default     gw        istio   gateway   127.64.0.9   8080,8443   True         -

NAMESPACE   SERVICE   KIND      ADDRESS      WAYPOINT    MESSAGE
default     reviews   Service   127.64.0.3   default/w   -
`
	var b strings.Builder
	if err := WriteTables(&b, s, t0); err != nil {
		t.Fatal(err)
	}
	if got := "\n" + b.String(); got != want {
		t.Errorf("got:%s\nwant:%s", got, want)
	}
}

func TestNoPluginsIsSaidInWords(t *testing.T) {
	var b strings.Builder
	if err := WriteTables(&b, Snapshot{}, t0); err != nil || b.String() != "no plugins\n" {
		t.Errorf("got %q, %v", b.String(), err)
	}
}
