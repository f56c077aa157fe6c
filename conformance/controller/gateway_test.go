package controller

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

var bookinfo = types.NamespacedName{Namespace: "default", Name: "bookinfo-gateway"}

// gatewayYAML is a Gateway that listens on one loopback address.
func gatewayYAML(address string) string {
	return fmt.Sprintf(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: bookinfo-gateway
  namespace: default
  annotations: {wasmpoint.dev/listen-addresses: %s}
spec:
  gatewayClassName: wasmpoint
  listeners:
  - {name: http, port: 8080, protocol: HTTP}
`, address)
}

func basicAuthYAML(url, credential string) string {
	return fmt.Sprintf(`
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: basic-auth, namespace: default}
spec:
  url: %s
  phase: AUTHN
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: bookinfo-gateway}]
  pluginConfig:
    basic_auth_rules:
    - {prefix: /productpage, request_methods: [GET, POST], credentials: ["%s"]}
`, url, credential)
}

func TestAPluginOnAGatewayGuardsItAndSaysSo(t *testing.T) {
	w := newWorld(t)
	address := free(t)
	w.ApplyYAML([]byte(gatewayYAML(address)))
	r := w.start("a").ready()
	r.proxy("gw-1", bookinfo)
	w.answers(address+":8080", 404) // no route
	w.ApplyYAML([]byte(basicAuthYAML(w.basicAuth(), "ok:test")))
	w.answers(address+":8080", 401)
	p := w.plugin("basic-auth", "is programmed", is("Programmed", "True"))
	if got := message(p, "Programmed"); got != "1/1 proxies run it" {
		t.Errorf("Programmed says %q", got)
	}
	if len(p.Status.Ancestors) != 1 || p.Status.Ancestors[0].ControllerName != "wasmpoint.dev/controller" {
		t.Errorf("ancestors %+v", p.Status.Ancestors)
	}
	for _, condition := range []string{"Accepted", "ResolvedRefs", "Ready"} {
		if !is(condition, "True")(p) {
			w.plugin("basic-auth", condition+" is true", is(condition, "True"))
		}
	}
	if !strings.Contains(w.log.String(), "this replica leads") {
		t.Error("the log does not say who leads")
	}
}
