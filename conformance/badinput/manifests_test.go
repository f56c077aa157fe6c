package badinput

import (
	"slices"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/files"
)

// manifest is a broken file and every line that the user gets to see, word for word.
type manifest struct {
	name string
	text string
	want []string
}

const plugin = `apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata:
  name: auth
`

func TestBrokenManifestsAreAnsweredWithFileLineFieldAndNextStep(t *testing.T) {
	t.Parallel()
	for _, tt := range manifests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			result := files.Parse("x.yaml", []byte(tt.text))
			var got []string
			for _, e := range result.Errors {
				got = append(got, e.Error())
			}
			if !slices.Equal(tt.want, got) {
				t.Errorf("errors differ\n got: %s\nwant: %s", strings.Join(got, "\n      "), strings.Join(tt.want, "\n      "))
			}
			if objects := result.All(); len(objects) > 0 {
				t.Errorf("a broken file gave %d objects; it must give none", len(objects))
			}
		})
	}
}

var manifests = []manifest{
	{
		name: "a field that does not exist",
		text: plugin + "spec:\n  url: oci://a/b:1\n  colour: red\n",
		want: []string{"x.yaml:7: spec.colour: unknown field; remove it or correct its name"},
	},
	{
		name: "a misspelt field",
		text: plugin + "spec:\n  url: oci://a/b:1\n  pluginConf:\n    a: 1\n",
		want: []string{"x.yaml:7: spec.pluginConf: unknown field; did you mean pluginConfig?"},
	},
	{
		name: "a field in the wrong case",
		text: plugin + "spec:\n  URL: oci://a/b:1\n",
		want: []string{
			"x.yaml:5: spec.url: is required; write it",
			"x.yaml:6: spec.URL: unknown field; did you mean url?",
		},
	},
	{
		name: "several problems in one object",
		text: plugin + "spec:\n  url: \"\"\n  phase: AUTH\n  priority: high\n",
		want: []string{
			`x.yaml:6: spec.url: "": must not be empty; correct it`,
			`x.yaml:7: spec.phase: "AUTH": is not supported; use one of UNSPECIFIED_PHASE, AUTHN, AUTHZ, STATS`,
			"x.yaml:8: spec.priority: must be of type integer, and is of type string; correct it",
		},
	},
	{
		name: "an unknown phase",
		text: plugin + "spec:\n  url: oci://a/b:1\n  phase: UNSPECIFIED\n",
		want: []string{`x.yaml:7: spec.phase: "UNSPECIFIED": is not supported; use one of UNSPECIFIED_PHASE, AUTHN, AUTHZ, STATS`},
	},
	{
		name: "an unknown fail strategy",
		text: plugin + "spec:\n  url: oci://a/b:1\n  failStrategy: fail_open\n",
		want: []string{`x.yaml:7: spec.failStrategy: "fail_open": is not supported; use one of FAIL_CLOSE, FAIL_OPEN, FAIL_RELOAD`},
	},
	{
		name: "a url with a scheme that cannot be fetched",
		text: plugin + "spec:\n  url: ftp://a/b\n",
		want: []string{`x.yaml:6: spec.url: "ftp://a/b": url must have schema one of [http, https, file, oci]; correct it`},
	},
	{
		name: "a sha256 with upper-case letters",
		text: plugin + "spec:\n  url: oci://a/b:1\n  sha256: ABCDEF\n",
		want: []string{`x.yaml:7: spec.sha256: "ABCDEF": must match '(^$|^[a-f0-9]{64}$)'; correct it`},
	},
	{
		name: "a priority that is no whole number",
		text: plugin + "spec:\n  url: oci://a/b:1\n  priority: 1.5\n",
		want: []string{"x.yaml:7: spec.priority: must be a whole number of type int32; correct it"},
	},
	{
		name: "a priority beyond 32 bits",
		text: plugin + "spec:\n  url: oci://a/b:1\n  priority: 4294967296\n",
		want: []string{"x.yaml:7: spec.priority: must be a whole number of type int32; correct it"},
	},
	{
		name: "a port that does not exist",
		text: plugin + "spec:\n  url: oci://a/b:1\n  match:\n  - ports:\n    - number: 80\n    - number: 70000\n",
		want: []string{"x.yaml:10: spec.match[0].ports[1].number: 70000: must be less than or equal to 65535; correct it"},
	},
	{
		name: "a port twice",
		text: plugin + "spec:\n  url: oci://a/b:1\n  match:\n  - ports:\n    - number: 80\n    - number: 80\n",
		want: []string{`x.yaml:10: spec.match[0].ports[1]: {"number":80}: stands twice; remove one`},
	},
	{
		name: "a selector beside targetRefs",
		text: plugin + "spec:\n  url: oci://a/b:1\n  selector:\n    matchLabels:\n      a: b\n  targetRefs:\n  - kind: Service\n    name: x\n",
		want: []string{"x.yaml:5: spec: only one of targetRefs or selector can be set; correct it"},
	},
	{
		name: "a target in another namespace",
		text: plugin + "spec:\n  url: oci://a/b:1\n  targetRefs:\n  - kind: Service\n    name: x\n    namespace: other\n",
		want: []string{`x.yaml:10: spec.targetRefs[0].namespace: "other": cross namespace referencing is not currently supported; correct it`},
	},
	{
		name: "a target without a name",
		text: plugin + "spec:\n  url: oci://a/b:1\n  targetRefs:\n  - kind: Service\n",
		want: []string{"x.yaml:8: spec.targetRefs[0].name: is required; write it"},
	},
	{
		name: "a wildcard in a selector",
		text: plugin + "spec:\n  url: oci://a/b:1\n  selector:\n    matchLabels:\n      app: web-*\n",
		want: []string{`x.yaml:9: spec.selector.matchLabels[app]: "web-*": wildcard not allowed in label value match; correct it`},
	},
	{
		name: "an environment variable twice",
		text: plugin + "spec:\n  url: oci://a/b:1\n  vmConfig:\n    env:\n    - name: A\n      value: b\n    - name: A\n      value: c\n",
		want: []string{`x.yaml:11: spec.vmConfig.env[1]: {"name":"A"}: stands twice; remove one`},
	},
	{
		name: "a value for a variable that comes from the host",
		text: plugin + "spec:\n  url: oci://a/b:1\n  vmConfig:\n    env:\n    - name: A\n      valueFrom: HOST\n      value: b\n",
		want: []string{"x.yaml:9: spec.vmConfig.env[0]: value may only be set when valueFrom is INLINE; correct it"},
	},
	{
		name: "a pluginConfig that is no object",
		text: plugin + "spec:\n  url: oci://a/b:1\n  pluginConfig: tomorrow\n",
		want: []string{"x.yaml:7: spec.pluginConfig: must be of type object, and is of type string; correct it"},
	},
	{
		name: "seventeen targets",
		text: plugin + "spec:\n  url: oci://a/b:1\n  targetRefs: [" + refs(17) + "]\n",
		want: []string{"x.yaml:7: spec.targetRefs: has too many items: must have at most 16 items; correct it"},
	},
	{
		name: "Lua beside Wasm",
		text: "apiVersion: extensions.istio.io/v1alpha1\nkind: TrafficExtension\nmetadata:\n  name: both\nspec:\n  wasm:\n    url: oci://a/b:1\n  lua:\n    inlineCode: x()\n",
		want: []string{"x.yaml:5: spec: exactly one of wasm or lua must be set; correct it"},
	},
	{
		name: "neither Lua nor Wasm",
		text: "apiVersion: extensions.istio.io/v1alpha1\nkind: TrafficExtension\nmetadata:\n  name: none\nspec:\n  phase: AUTHN\n",
		want: []string{"x.yaml:5: spec: exactly one of wasm or lua must be set; correct it"},
	},
	{
		name: "a targetRef on a TrafficExtension",
		text: "apiVersion: extensions.istio.io/v1alpha1\nkind: TrafficExtension\nmetadata:\n  name: old\nspec:\n  targetRef:\n    kind: Service\n    name: x\n  lua:\n    inlineCode: x()\n",
		want: []string{"x.yaml:6: spec.targetRef: unknown field; did you mean targetRefs?"},
	},
	{
		name: "a plugin without a name",
		text: "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nspec:\n  url: oci://a/b:1\n",
		want: []string{"x.yaml:1: metadata: is missing; give the object a name"},
	},
	{
		name: "a plugin with a name that Kubernetes does not take",
		text: "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: Basic_Auth\nspec:\n  url: oci://a/b:1\n",
		want: []string{`x.yaml:4: metadata.name: "Basic_Auth": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'); correct it`},
	},
	{
		name: "a misspelt kind",
		text: "apiVersion: extensions.istio.io/v1alpha1\nkind: WASMPlugin\nmetadata:\n  name: a\nspec:\n  url: oci://a/b:1\n",
		want: []string{`x.yaml:2: kind: "WASMPlugin" is not a kind of extensions.istio.io/v1alpha1; did you mean WasmPlugin?`},
	},
	{
		name: "a kind that the group does not have",
		text: "apiVersion: extensions.istio.io/v1alpha1\nkind: FilterDeployment\nmetadata:\n  name: a\n",
		want: []string{`x.yaml:2: kind: "FilterDeployment" is not a kind of extensions.istio.io; use TrafficExtension or WasmPlugin`},
	},
	{
		name: "a version that does not exist",
		text: "apiVersion: extensions.istio.io/v1\nkind: WasmPlugin\nmetadata:\n  name: a\nspec:\n  url: oci://a/b:1\n",
		want: []string{`x.yaml:1: apiVersion: "extensions.istio.io/v1" is not a version of WasmPlugin that is read; use extensions.istio.io/v1alpha1`},
	},
	{
		name: "no kind",
		text: "apiVersion: v1\nmetadata:\n  name: a\n",
		want: []string{"x.yaml:1: kind: is missing; write which kind of object this is, as in `apiVersion: extensions.istio.io/v1alpha1`, `kind: WasmPlugin`"},
	},
	{
		name: "a key twice",
		text: plugin + "spec:\n  url: oci://a/b:1\n  url: oci://a/b:2\n",
		want: []string{"x.yaml:7: spec.url: stands twice (first on line 6); remove one"},
	},
	{
		name: "broken YAML in one document and a broken field in the next",
		text: "a: [1,\nb: 2\n---\n" + plugin + "spec:\n  url: oci://a/b:1\n  colour: red\n",
		want: []string{
			"x.yaml:2: is not YAML: did not find expected ',' or ']'; correct the syntax near this line",
			"x.yaml:10: spec.colour: unknown field; remove it or correct its name",
		},
	},
	{
		name: "text that is no object",
		text: "hello\n",
		want: []string{"x.yaml:1: is not an object; write apiVersion, kind, metadata and spec"},
	},
	{
		name: "an object twice",
		text: plugin + "spec:\n  url: oci://a/b:1\n---\n" + plugin + "spec:\n  url: oci://a/b:2\n",
		want: []string{"x.yaml:8: WasmPlugin default/auth stands also at x.yaml:1, which is in force; remove one of them"},
	},
	{
		name: "a label that is no string",
		text: "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  labels:\n    enabled: true\n    version: 1\nspec:\n  ports:\n  - port: 80\n",
		want: []string{
			`x.yaml:6: metadata.labels.enabled: must be a string, and is the boolean true; quote it: "true"`,
			`x.yaml:7: metadata.labels.version: must be a string, and is the number 1; quote it: "1"`,
		},
	},
	{
		name: "a Service port that is text",
		text: "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n  - port: http\n",
		want: []string{`x.yaml:7: spec.ports[0].port: must be a number, and is the string "http"; correct it`},
	},
	{
		name: "Service ports without names",
		text: "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n  - port: 80\n  - port: 81\n    protocoll: TCP\n",
		want: []string{
			"x.yaml:7: spec.ports[0].name: is missing; give every port a name when there are several",
			"x.yaml:8: spec.ports[1].name: is missing; give every port a name when there are several",
			"x.yaml:9: spec.ports[1].protocoll: unknown field; did you mean protocol?",
		},
	},
	{
		name: "a Gateway without a class and with a listener without a protocol",
		text: "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata:\n  name: g\nspec:\n  listeners:\n  - name: http\n    port: 0\n",
		want: []string{
			"x.yaml:5: spec.gatewayClassName: is missing; name a class, such as wasmpoint or wasmpoint-waypoint",
			"x.yaml:7: spec.listeners[0].protocol: is missing; write HTTP, HTTPS, TLS or TCP",
			"x.yaml:8: spec.listeners[0].port: 0 is not a port; use 1 to 65535",
		},
	},
	{
		name: "a Gateway that admits routes from nowhere known",
		text: "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata:\n  name: g\nspec:\n  gatewayClassName: wasmpoint\n  listeners:\n  - name: http\n    port: 80\n    protocol: HTTP\n    allowedRoutes:\n      namespaces:\n        from: Any\n",
		want: []string{`x.yaml:13: spec.listeners[0].allowedRoutes.namespaces.from: "Any" is not supported; use one of All, Selector, Same, None`},
	},
	{
		name: "a route with an unknown path match and a backend without a port",
		text: "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n  name: r\nspec:\n  parentRefs:\n  - name: g\n  rules:\n  - matches:\n    - path:\n        type: Prefix\n        value: /\n    backendRefs:\n    - name: s\n",
		want: []string{
			`x.yaml:11: spec.rules[0].matches[0].path.type: "Prefix" is not supported; use one of Exact, PathPrefix, RegularExpression`,
			"x.yaml:14: spec.rules[0].backendRefs[0].port: is missing; write the Service's port",
		},
	},
	{
		name: "a misspelt Gateway API kind",
		text: "apiVersion: gateway.networking.k8s.io/v1\nkind: HttpRoutes\nmetadata:\n  name: r\n",
		want: []string{`x.yaml:2: kind: "HttpRoutes" is not a kind of gateway.networking.k8s.io/v1; did you mean HTTPRoute?`},
	},
	{
		name: "a ServiceEntry without hosts and with an unknown resolution",
		text: "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: e\nspec:\n  resolution: dns\n  ports:\n  - number: 443\n    protocol: TLS\n",
		want: []string{
			"x.yaml:5: spec.hosts: is missing; write at least one DNS name",
			`x.yaml:6: spec.resolution: "dns" is not supported; use one of NONE, STATIC, DNS, DNS_ROUND_ROBIN, DYNAMIC_DNS`,
			"x.yaml:8: spec.ports[0].name: is missing; give the port a name",
		},
	},
	{
		name: "a Secret that is not base64",
		text: "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\ntype: kubernetes.io/tls\ndata:\n  tls.crt: '***'\n",
		want: []string{"x.yaml:7: data.tls.crt: is not base64; encode the value, or use stringData"},
	},
	{
		name: "a GatewayClass in a namespace",
		text: "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata:\n  name: c\n  namespace: default\nspec: {}\n",
		want: []string{
			`x.yaml:5: metadata.namespace: "default": a GatewayClass has no namespace; remove the field`,
			"x.yaml:6: spec.controllerName: is missing; name the controller of the class, such as wasmpoint.dev/controller",
		},
	},
	{
		name: "an EndpointSlice with an address of the other family",
		text: "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: e\naddressType: IPv4\nendpoints:\n- addresses: ['::1']\nports:\n- port: 80\n",
		want: []string{`x.yaml:7: endpoints[0].addresses[0]: "::1" is not an IPv4 address; correct it or addressType`},
	},
}
