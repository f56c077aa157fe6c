package wide_test

import (
	"fmt"
	"strings"
)

// manifests are a waypoint and its Services, with one backend for all.
func manifests(backend int) string {
	var b strings.Builder
	b.WriteString(`apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint}
spec:
  gatewayClassName: wasmpoint-waypoint
  listeners:
  - {name: mesh, port: 15008, protocol: HBONE}
`)
	for i := range services {
		fmt.Fprintf(&b, `---
apiVersion: v1
kind: Service
metadata:
  name: %[1]s
  labels: {istio.io/use-waypoint: waypoint}
spec:
  ports:
  - {name: http, port: 9080}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: %[1]s
  labels: {kubernetes.io/service-name: %[1]s}
addressType: IPv4
ports:
- {name: http, port: %[2]d}
endpoints:
- addresses: ["127.0.0.1"]
`, serviceName(i), backend)
	}
	return b.String()
}
