package standalone_test

import (
	"fmt"

	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
)

// inMesh is the label of a Service that uses the waypoint named waypoint.
const inMesh = "istio.io/use-waypoint: waypoint"

func serviceManifest(name, labels, portName string, port int) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata:
  name: %[1]s
  labels: {%[2]s}
spec:
  ports:
  - {name: %[3]s, port: 9080}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: %[1]s
  labels: {kubernetes.io/service-name: %[1]s}
addressType: IPv4
ports:
- {name: %[3]s, port: %[4]d}
endpoints:
- addresses: ["127.0.0.1"]
`, name, labels, portName, port)
}

// ingress is the Gateway edge, with everything routed to the Service web.
const ingress = edgeGateway + toWeb

const edgeGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: edge
spec:
  gatewayClassName: wasmpoint
  listeners:
  - {name: http, port: 80, protocol: HTTP}
---
`

const toWeb = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: web
spec:
  parentRefs:
  - {name: edge}
  rules:
  - backendRefs:
    - {name: web, port: 9080}
`

const waypoint = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: waypoint
spec:
  gatewayClassName: wasmpoint-waypoint
  listeners:
  - {name: mesh, port: 15008, protocol: HBONE}
`

// module writes a marker module beside the manifests and returns its file:// URL.
func (w *world) module(name, seed string) string {
	w.t.Helper()
	w.write(name, string(wasmtest.Unique(wasmtest.Marker(w.t), seed)))
	return "file://./" + name
}

// authModule puts plugins/basic-auth beside the manifests and returns its URL.
func (w *world) authModule() string {
	w.t.Helper()
	w.write("basic-auth.wasm", string(wasmtest.BasicAuth(w.t)))
	return "file://./basic-auth.wasm"
}

// authManifest is basic-auth over everything, first in the chain. The realm is there to be changed.
func authManifest(name, url, kind, target, realm string) string {
	config := fmt.Sprintf(`{realm: %s, basic_auth_rules: [{prefix: /, request_methods: [GET], credentials: ["ok:test"]}]}`, realm)
	return pluginManifest(name, url, kind, target, config, "  phase: AUTHN")
}

// pluginManifest is a WasmPlugin with one target; more are further lines of the spec.
func pluginManifest(name, url, kind, target, config, more string) string {
	group := "gateway.networking.k8s.io"
	if kind == "Service" {
		group = `""`
	}
	return fmt.Sprintf(`apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata:
  name: %s
spec:
  url: %s
  targetRefs:
  - {group: %s, kind: %s, name: %s}
  pluginConfig: %s
%s
`, name, url, group, kind, target, config, more)
}
