package validation

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Each case is a spec (of a WasmPlugin unless it says otherwise) and the exact errors that its user reads.
func TestABadObjectGetsTheExactError(t *testing.T) {
	const head = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: p}\nspec:\n  url: oci://r.example/x:1\n"
	const noURL = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: p}\nspec:\n"
	const extension = "apiVersion: extensions.istio.io/v1alpha1\nkind: TrafficExtension\nmetadata: {name: p}\nspec:\n"
	for _, c := range []struct{ name, yaml, want string }{
		{"another kind", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n", "kind: v1 Pod: is not a plugin kind; use extensions.istio.io/v1alpha1 WasmPlugin or TrafficExtension"},
		{"another version", "apiVersion: extensions.istio.io/v1\nkind: WasmPlugin\nmetadata: {name: p}\n", "kind: extensions.istio.io/v1 WasmPlugin: is not a plugin kind; use extensions.istio.io/v1alpha1 WasmPlugin or TrafficExtension"},
		{"no name", "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {}\nspec: {url: x}\n", "metadata.name: is required: name or generateName is required"},
		{"no metadata", "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nspec: {url: x}\n", "metadata: is missing; give the object a name"},
		{"a name that is no DNS name", "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: My_Plugin}\nspec: {url: x}\n", `metadata.name: "My_Plugin": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`},
		{"an unknown field of metadata", "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: p, label: {a: b}}\nspec: {url: x}\n", "metadata.label: unknown field; remove it or correct its name"},
		{"metadata of a wrong type", "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: p, labels: [a]}\nspec: {url: x}\n", "metadata: cannot be read: json: cannot unmarshal array into Go struct field ObjectMeta.labels of type map[string]string"},
		{"no spec", "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: p}\n", "spec: is required"},
		{"a spec that is a list", "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: p}\nspec: []\n", "spec: must be of type object, and is of type array"},
		{"an unknown top-level field", head + "sepc: {}\n", "sepc: unknown field; did you mean spec?"},
		{"a misspelt field", head + "  targetrefs: []\n", "spec.targetrefs: unknown field; did you mean targetRefs?"},
		{"a misspelt nested field", head + "  match: [{mod: CLIENT}]\n", "spec.match[0].mod: unknown field; did you mean mode?"},
		{"an unknown nested field", head + "  vmConfig: {env: [{name: A, from: here}]}\n", "spec.vmConfig.env[0].from: unknown field; remove it or correct its name"},
		{"a field of TrafficExtension", head + "  lua: {inlineCode: x}\n", "spec.lua: unknown field; remove it or correct its name"},
		{"no url", noURL + "  phase: AUTHN\n", "spec.url: is required"},
		{"an empty url", noURL + "  url: \"\"\n", `spec.url: "": must not be empty`},
		{"an unsupported scheme", noURL + "  url: ftp://r.example/x.wasm\n", `spec.url: "ftp://r.example/x.wasm": url must have schema one of [http, https, file, oci]`},
		{"an s3 url", noURL + "  url: s3://bucket/x.wasm\n", `spec.url: "s3://bucket/x.wasm": url must have schema one of [http, https, file, oci]`},
		{"a url that cannot be parsed", noURL + "  url: \"oci://r example/%zz\"\n", `spec.url: "oci://r example/%zz": url must have schema one of [http, https, file, oci]`},
		{"a url of a wrong type", noURL + "  url: 5\n", "spec.url: must be of type string, and is of type integer"},
		{"an upper-case sha256", head + "  sha256: 1EF0C9A92B0420CF25F7FE5D481B231464BC88F486CA3B9C83ED5CC21D2F6210\n", `spec.sha256: "1EF0C9A92B0420CF25F7FE5D481B231464BC88F486CA3B9C83ED5CC21D2F6210": must match '(^$|^[a-f0-9]{64}$)'`},
		{"a short sha256", head + "  sha256: abc\n", `spec.sha256: "abc": must match '(^$|^[a-f0-9]{64}$)'`},
		{"an unknown pull policy", head + "  imagePullPolicy: Never\n", `spec.imagePullPolicy: "Never": is not supported; use one of UNSPECIFIED_POLICY, IfNotPresent, Always`},
		{"an empty pull secret", head + "  imagePullSecret: \"\"\n", `spec.imagePullSecret: "": must not be empty`},
		{"an empty plugin name", head + "  pluginName: \"\"\n", `spec.pluginName: "": must not be empty`},
		{"a long plugin name", head + "  pluginName: " + strings.Repeat("x", 257) + "\n", "spec.pluginName: is too long: may not be more than 256 bytes"},
		{"an unknown fail strategy", head + "  failStrategy: FAIL_CLOSED\n", `spec.failStrategy: "FAIL_CLOSED": is not supported; use one of FAIL_CLOSE, FAIL_OPEN, FAIL_RELOAD`},
		{"an unknown type", head + "  type: TCP\n", `spec.type: "TCP": is not supported; use one of UNSPECIFIED_PLUGIN_TYPE, HTTP, NETWORK`},
		{"an unknown phase", head + "  phase: AUTH\n", `spec.phase: "AUTH": is not supported; use one of UNSPECIFIED_PHASE, AUTHN, AUTHZ, STATS`},
		{"the other kind's unspecified phase", head + "  phase: UNSPECIFIED\n", `spec.phase: "UNSPECIFIED": is not supported; use one of UNSPECIFIED_PHASE, AUTHN, AUTHZ, STATS`},
		{"a priority that is no number", head + "  priority: high\n", "spec.priority: must be of type integer, and is of type string"},
		{"a priority that is too large", head + "  priority: 2147483648\n", "spec.priority: must be a whole number of type int32"},
		{"a priority that is not whole", head + "  priority: 1.5\n", "spec.priority: must be a whole number of type int32"},
		{"an unknown mode", head + "  match: [{mode: BOTH}]\n", `spec.match[0].mode: "BOTH": is not supported; use one of UNDEFINED, CLIENT, SERVER, CLIENT_AND_SERVER`},
		{"port 0", head + "  match: [{ports: [{number: 0}]}]\n", "spec.match[0].ports[0].number: 0: must be greater than or equal to 1"},
		{"port 65536", head + "  match: [{ports: [{number: 65536}]}]\n", "spec.match[0].ports[0].number: 65536: must be less than or equal to 65535"},
		{"a port twice", head + "  match: [{ports: [{number: 80}, {number: 80}]}]\n", `spec.match[0].ports[1]: {"number":80}: stands twice; remove one`},
		{"a port without number", head + "  match: [{ports: [{}]}]\n", "spec.match[0].ports[0].number: is required"},
		{"a plugin config that is a list", head + "  pluginConfig: [a]\n", "spec.pluginConfig: must be of type object, and is of type array"},
		{"a plugin config that is a string", head + "  pluginConfig: tomorrow\n", "spec.pluginConfig: must be of type object, and is of type string"},
		{"a variable without name", head + "  vmConfig: {env: [{value: x}]}\n", "spec.vmConfig.env[0].name: is required"},
		{"a variable with an empty name", head + "  vmConfig: {env: [{name: \"\"}]}\n", `spec.vmConfig.env[0].name: "": must not be empty`},
		{"a variable twice", head + "  vmConfig: {env: [{name: A}, {name: A}]}\n", `spec.vmConfig.env[1]: {"name":"A"}: stands twice; remove one`},
		{"a host variable with a value", head + "  vmConfig: {env: [{name: A, valueFrom: HOST, value: x}]}\n", "spec.vmConfig.env[0]: value may only be set when valueFrom is INLINE"},
		{"a host variable with an empty value", head + "  vmConfig: {env: [{name: A, valueFrom: HOST, value: \"\"}]}\n", "spec.vmConfig.env[0]: value may only be set when valueFrom is INLINE"},
		{"an unknown source of a variable", head + "  vmConfig: {env: [{name: A, valueFrom: FILE}]}\n", `spec.vmConfig.env[0].valueFrom: "FILE": is not supported; use one of INLINE, HOST`},
		{"a long value of a variable", head + "  vmConfig: {env: [{name: A, value: " + strings.Repeat("x", 2049) + "}]}\n", "spec.vmConfig.env[0].value: is too long: may not be more than 2048 bytes"},
		{"a wildcard in a label value", head + "  selector: {matchLabels: {app: \"*\"}}\n", `spec.selector.matchLabels[app]: "*": wildcard not allowed in label value match`},
		{"a wildcard in a label key", head + "  selector: {matchLabels: {\"a*\": b}}\n", "spec.selector.matchLabels: wildcard not allowed in label key match"},
		{"an empty label key", head + "  selector: {matchLabels: {\"\": b}}\n", "spec.selector.matchLabels: key must not be empty"},
		{"a long label value", head + "  selector: {matchLabels: {a: " + strings.Repeat("x", 64) + "}}\n", "spec.selector.matchLabels.a: is too long: may not be more than 63 bytes"},
		{"a target without kind", head + "  targetRefs: [{name: gw}]\n", "spec.targetRefs[0].kind: is required"},
		{"a target without name", head + "  targetRef: {kind: Gateway}\n", "spec.targetRef.name: is required"},
		{"a target of another namespace", head + "  targetRefs: [{kind: Service, name: s, namespace: other}]\n", `spec.targetRefs[0].namespace: "other": cross namespace referencing is not currently supported`},
		{"a target whose group is no DNS name", head + "  targetRefs: [{kind: Service, name: s, group: \"Core!\"}]\n", `spec.targetRefs[0].group: "Core!": must match '^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'`},
		{"17 targets", head + "  targetRefs: [" + strings.Repeat("{kind: Service, name: s}, ", 17) + "]\n", "spec.targetRefs: has too many items: must have at most 16 items"},
		{"selector and targetRefs", head + "  selector: {}\n  targetRefs: []\n", "spec: only one of targetRefs or selector can be set"},
		{"targetRef and targetRefs", head + "  targetRef: {kind: Gateway, name: gw}\n  targetRefs: [{kind: Gateway, name: gw}]\n", "spec: only one of targetRefs or selector can be set"},
		{"two errors at once", head + "  phase: AUTH\n  foo: 1\n", "spec.foo: unknown field; remove it or correct its name\nspec.phase: \"AUTH\": is not supported; use one of UNSPECIFIED_PHASE, AUTHN, AUTHZ, STATS"},
		{"neither wasm nor lua", extension + "  phase: AUTHN\n", "spec: exactly one of wasm or lua must be set"},
		{"wasm and lua", extension + "  wasm: {url: x}\n  lua: {inlineCode: x}\n", "spec: exactly one of wasm or lua must be set"},
		{"lua without code", extension + "  lua: {}\n", "spec.lua.inlineCode: is required"},
		{"empty lua", extension + "  lua: {inlineCode: \"\"}\n", `spec.lua.inlineCode: "": must not be empty`},
		{"lua of more than 64 KiB", extension + "  lua: {inlineCode: " + strings.Repeat("x", 65537) + "}\n", "spec.lua.inlineCode: is too long: may not be more than 65536 bytes"},
		{"wasm without url", extension + "  wasm: {}\n", "spec.wasm.url: is required"},
		{"the old single target in a TrafficExtension", extension + "  targetRef: {kind: Gateway, name: gw}\n  wasm: {url: x}\n", "spec.targetRef: unknown field; did you mean targetRefs?"},
		{"WasmPlugin's unspecified phase in a TrafficExtension", extension + "  phase: UNSPECIFIED_PHASE\n  wasm: {url: x}\n", `spec.phase: "UNSPECIFIED_PHASE": is not supported; use one of UNSPECIFIED, AUTHN, AUTHZ, STATS`},
		{"url beside wasm", extension + "  url: x\n  wasm: {url: x}\n", "spec.url: unknown field; remove it or correct its name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var obj map[string]any
			if err := yaml.Unmarshal([]byte(c.yaml), &obj); err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, e := range Object(obj) {
				lines = append(lines, e.Error())
			}
			if got := strings.Join(lines, "\n"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
