package explain

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/files"
)

const world = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: wasmpoint
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint}
spec:
  gatewayClassName: wasmpoint-waypoint
  listeners: [{name: proxy, port: 15088, protocol: istio.io/PROXY}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pay, labels: {istio.io/use-waypoint: waypoint}}
spec:
  hosts: [pay.example.com]
  ports: [{number: 443, name: tls, protocol: TLS}]
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: auth}
spec:
  url: oci://registry.example/auth:1
  phase: AUTHN
  targetRefs:
  - {group: gateway.networking.k8s.io, kind: Gateway, name: gw}
  - {kind: Service, name: gone}
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: net}
spec:
  url: oci://registry.example/net:1
  type: NETWORK
  targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: pay}]
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: lost, namespace: nowhere}
spec: {url: oci://registry.example/lost:1}
`

func explain(t *testing.T, text, format string) string {
	t.Helper()
	loaded := files.Parse("world.yaml", []byte(text))
	for _, e := range loaded.Errors {
		t.Fatal(e)
	}
	r, err := Objects(loaded.All(), "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, r, format); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTheJSONFormIsTheOneThatIsPromised(t *testing.T) {
	t.Parallel()
	want := `{"scopes":[` +
		`{"gateway":"default/gw","listener":"http","port":80,"service":"","serviceKind":"",` +
		`"phases":{"AUTHN":["default/auth"],"AUTHZ":[],"STATS":[],"UNSPECIFIED":[]},` +
		`"network":{"AUTHN":[],"AUTHZ":[],"STATS":[],"UNSPECIFIED":[]}},` +
		`{"gateway":"default/waypoint","listener":"proxy","port":443,"service":"default/pay","serviceKind":"ServiceEntry",` +
		`"phases":{"AUTHN":[],"AUTHZ":[],"STATS":[],"UNSPECIFIED":[]},` +
		`"network":{"AUTHN":[],"AUTHZ":[],"STATS":[],"UNSPECIFIED":["default/net"]}}],` +
		`"plugins":[` +
		`{"kind":"WasmPlugin","namespace":"default","name":"auth","targets":[` +
		`{"group":"gateway.networking.k8s.io","kind":"Gateway","namespace":"default","name":"gw","accepted":true,` +
		`"reason":"Accepted","message":"Attached to Gateway default/gw"},` +
		`{"group":"","kind":"Service","namespace":"default","name":"gone","accepted":false,"reason":"TargetNotFound",` +
		`"message":"Service default/gone does not exist; create it, or correct the name in targetRefs"}]},` +
		`{"kind":"WasmPlugin","namespace":"default","name":"net","targets":[` +
		`{"group":"networking.istio.io","kind":"ServiceEntry","namespace":"default","name":"pay","accepted":true,` +
		`"reason":"Accepted","message":"Attached to ServiceEntry default/pay at waypoint default/waypoint"}]},` +
		`{"kind":"WasmPlugin","namespace":"nowhere","name":"lost","targets":[` +
		`{"group":"","kind":"","namespace":"","name":"","accepted":false,"reason":"NoGatewayInReach",` +
		`"message":"Namespace nowhere has no Gateway that this plugin could run in; create one, or name a target in targetRefs"}]}]}`
	var got bytes.Buffer
	if err := json.Compact(&got, []byte(explain(t, world, "json"))); err != nil {
		t.Fatal(err)
	}
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestNothingIsEmptyListsAndNotNull(t *testing.T) {
	t.Parallel()
	if got, want := explain(t, "", "json"), "{\n  \"scopes\": [],\n  \"plugins\": []\n}\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheTableIsAligned(t *testing.T) {
	t.Parallel()
	want := `GATEWAY           LISTENER  PORT  SERVICE                   PHASE                  PLUGINS
default/gw        http      80    -                         AUTHN                  default/auth
default/waypoint  proxy     443   ServiceEntry default/pay  UNSPECIFIED (network)  default/net

PLUGIN                   TARGET                    ACCEPTED  REASON            MESSAGE
WasmPlugin default/auth  Gateway default/gw        yes       Accepted          Attached to Gateway default/gw
                         Service default/gone      no        TargetNotFound    Service default/gone does not exist; create it, or correct the name in targetRefs
WasmPlugin default/net   ServiceEntry default/pay  yes       Accepted          Attached to ServiceEntry default/pay at waypoint default/waypoint
WasmPlugin nowhere/lost  -                         no        NoGatewayInReach  Namespace nowhere has no Gateway that this plugin could run in; create one, or name a target in targetRefs
`
	if got := explain(t, world, "table"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAnUnknownFormatIsAnErrorThatNamesTheOthers(t *testing.T) {
	t.Parallel()
	err := Write(&strings.Builder{}, &Result{}, "xml")
	if err == nil || err.Error() != `output format "xml" is unknown; use one of table, json, yaml` {
		t.Errorf("error %v", err)
	}
}

func TestAnObjectThatTheStoreDoesNotTakeIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := Objects([]any{42}, ""); err == nil {
		t.Error("no error for a number")
	}
}
