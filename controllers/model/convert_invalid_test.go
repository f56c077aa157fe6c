package model

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

func TestAnInvalidWasmPluginSaysWhy(t *testing.T) {
	env := func(e ...v1alpha1.EnvVar) v1alpha1.WasmPluginSpec {
		return v1alpha1.WasmPluginSpec{WasmConfig: v1alpha1.WasmConfig{VMConfig: &v1alpha1.VMConfig{Env: e}}}
	}
	module := func(c v1alpha1.WasmConfig) v1alpha1.WasmPluginSpec { return v1alpha1.WasmPluginSpec{WasmConfig: c} }
	config := func(s string) v1alpha1.WasmPluginSpec {
		return module(v1alpha1.WasmConfig{PluginConfig: &apiextensionsv1.JSON{Raw: []byte(s)}})
	}
	labels := func(k string, v v1alpha1.LabelValue) v1alpha1.WasmPluginSpec {
		return v1alpha1.WasmPluginSpec{Selector: &v1alpha1.WorkloadSelector{MatchLabels: map[string]v1alpha1.LabelValue{k: v}}}
	}
	target := func(r v1alpha1.PolicyTargetReference) v1alpha1.WasmPluginSpec {
		return v1alpha1.WasmPluginSpec{TargetRefs: []v1alpha1.PolicyTargetReference{{Kind: "Service", Name: "s"}, r}}
	}
	for _, c := range []struct {
		name string
		spec v1alpha1.WasmPluginSpec
		want string
	}{
		{"an unknown scheme", module(v1alpha1.WasmConfig{URL: "ftp://x"}),
			`spec.url: "ftp://x": scheme "ftp" is not supported; use oci, http, https or file, or no scheme for an OCI image`},
		{"a url that cannot be parsed", module(v1alpha1.WasmConfig{URL: "oci://%zz"}),
			`spec.url: "oci://%zz" cannot be parsed: invalid URL escape "%zz"`},
		{"a short sha256", module(v1alpha1.WasmConfig{SHA256: "abc"}), `spec.sha256: "abc" is not 64 lower-case hex digits`},
		{"an unknown pull policy", module(v1alpha1.WasmConfig{ImagePullPolicy: "Never"}),
			`spec.imagePullPolicy: "Never" is unknown; use IfNotPresent or Always`},
		{"an unknown fail strategy", module(v1alpha1.WasmConfig{FailStrategy: "OPEN"}),
			`spec.failStrategy: "OPEN" is unknown; use FAIL_CLOSE, FAIL_OPEN or FAIL_RELOAD`},
		{"an unknown type", module(v1alpha1.WasmConfig{Type: "TCP"}), `spec.type: "TCP" is unknown; use HTTP or NETWORK`},
		{"an unknown phase", v1alpha1.WasmPluginSpec{Phase: "AUTH"},
			`spec.phase: "AUTH" is not a phase of a WasmPlugin; use AUTHN, AUTHZ, STATS or UNSPECIFIED_PHASE`},
		{"an unknown mode", v1alpha1.WasmPluginSpec{Match: []*v1alpha1.TrafficSelector{nil, {Mode: "X"}}},
			`spec.match[1].mode: "X" is unknown; use CLIENT, SERVER or CLIENT_AND_SERVER`},
		{"a port out of range", v1alpha1.WasmPluginSpec{Match: []*v1alpha1.TrafficSelector{{Ports: []v1alpha1.PortSelector{{Number: 80}, {Number: 70000}}}}},
			`spec.match[0].ports[1].number: 70000 is not a port; use 1 to 65535`},
		{"a config that is no JSON", config(`{`), `spec.pluginConfig: is not JSON: unexpected EOF`},
		{"a config with a tail", config(`{} {}`), `spec.pluginConfig: is not JSON: something follows the object`},
		{"a config that is a string", config(`"x"`), `spec.pluginConfig: must be an object, and is a string`},
		{"a config that is a list", config(`[]`), `spec.pluginConfig: must be an object, and is a list`},
		{"a config that is a number", config(`1`), `spec.pluginConfig: must be an object, and is a number`},
		{"a config that is a boolean", config(`true`), `spec.pluginConfig: must be an object, and is a boolean`},
		{"a variable without name", env(v1alpha1.EnvVar{}), `spec.vmConfig.env[0].name: must not be empty`},
		{"a variable that is no C identifier", env(v1alpha1.EnvVar{Name: "A"}, v1alpha1.EnvVar{Name: "1-a"}),
			`spec.vmConfig.env[1].name: "1-a" is not a C identifier; use letters, digits and _, and no digit first`},
		{"a variable twice", env(v1alpha1.EnvVar{Name: "A"}, v1alpha1.EnvVar{Name: "A", Value: "x"}),
			`spec.vmConfig.env[1].name: "A" stands twice; remove one`},
		{"a reserved variable", env(v1alpha1.EnvVar{Name: "ISTIO_META_WASM_IMAGE_PULL_SECRET"}),
			`spec.vmConfig.env[0].name: "ISTIO_META_WASM_IMAGE_PULL_SECRET" has the reserved prefix ISTIO_META_; choose another name`},
		{"a host variable with a value", env(v1alpha1.EnvVar{Name: "A", ValueFrom: "HOST", Value: "x"}),
			`spec.vmConfig.env[0].value: "x" is set although valueFrom is HOST; remove one of the two`},
		{"an unknown source", env(v1alpha1.EnvVar{Name: "A", ValueFrom: "FILE"}),
			`spec.vmConfig.env[0].valueFrom: "FILE" is unknown; use INLINE or HOST`},
		{"a wildcard in a value", labels("a", "*"),
			`spec.selector.matchLabels[a]: "*": a wildcard is not supported, write the exact label`},
		{"a wildcard in a key", labels("a*", "b"),
			`spec.selector.matchLabels[a*]: "b": a wildcard is not supported, write the exact label`},
		{"an empty key", labels("", "b"), `spec.selector.matchLabels: a key is empty; name the label`},
		{"a target without name", target(v1alpha1.PolicyTargetReference{Kind: "Service"}), `spec.targetRefs[1].name: must name the target`},
		{"a target in another namespace", target(v1alpha1.PolicyTargetReference{Kind: "Service", Name: "s", Namespace: "other"}),
			`spec.targetRefs[1].namespace: "other" is not the plugin's namespace; a target in another namespace is not supported, move the plugin there`},
		{"a single target without name", v1alpha1.WasmPluginSpec{TargetRef: &v1alpha1.PolicyTargetReference{Kind: "Service"}},
			`spec.targetRef.name: must name the target`},
		{"two things", v1alpha1.WasmPluginSpec{Phase: "X", WasmConfig: v1alpha1.WasmConfig{Type: "Y"}},
			`spec.phase: "X" is not a phase of a WasmPlugin; use AUTHN, AUTHZ, STATS or UNSPECIFIED_PHASE; spec.type: "Y" is unknown; use HTTP or NETWORK`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := FromWasmPlugin(wasmPlugin(c.spec)).Invalid; got != c.want {
				t.Errorf("invalid:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
	if got := FromWasmPlugin(&v1alpha1.WasmPlugin{}).Invalid; got != "spec.url: must name the module, for example oci://registry.example/plugin:1" {
		t.Errorf("without a url: %s", got)
	}
}

func TestAnInvalidTrafficExtensionSaysWhy(t *testing.T) {
	wasm := &v1alpha1.WasmConfig{URL: "x"}
	lua := func(s string) *v1alpha1.LuaConfig { return &v1alpha1.LuaConfig{InlineCode: s} }
	for _, c := range []struct {
		name string
		spec v1alpha1.TrafficExtensionSpec
		want string
	}{
		{"nothing", v1alpha1.TrafficExtensionSpec{}, `spec: neither wasm nor lua is set; set exactly one of them`},
		{"both", v1alpha1.TrafficExtensionSpec{Wasm: wasm, Lua: lua("x")}, `spec: both wasm and lua are set; set exactly one of them`},
		{"empty lua", v1alpha1.TrafficExtensionSpec{Lua: lua("")}, `spec.lua.inlineCode: must not be empty`},
		{"lua at the bound", v1alpha1.TrafficExtensionSpec{Lua: lua(strings.Repeat("x", 65536))}, ``},
		{"lua of 65537 bytes, half as many letters", v1alpha1.TrafficExtensionSpec{Lua: lua(strings.Repeat("é", 32768) + "x")},
			`spec.lua.inlineCode: 65537 bytes are more than 65536; shorten the script`},
		{"the other kind's phase", v1alpha1.TrafficExtensionSpec{Phase: "UNSPECIFIED_PHASE", Wasm: wasm},
			`spec.phase: "UNSPECIFIED_PHASE" is not a phase of a TrafficExtension; use AUTHN, AUTHZ, STATS or UNSPECIFIED`},
		{"a bad module", v1alpha1.TrafficExtensionSpec{Wasm: &v1alpha1.WasmConfig{URL: "s3://b/x"}},
			`spec.wasm.url: "s3://b/x": scheme "s3" is not supported; use oci, http, https or file, or no scheme for an OCI image`},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := &v1alpha1.TrafficExtension{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}, Spec: c.spec}
			if got := FromTrafficExtension(in).Invalid; got != c.want {
				t.Errorf("invalid:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

// The same list is judged by the CRD's rule in apis/validation; the two must agree.
func TestTheseURLsAreGood(t *testing.T) {
	for _, url := range []string{
		"oci://r.example/x:1", "oci://private-registry:5000/x:latest", "r.example/x", "docker.io/org/x:1.0.0", "x",
		"localhost:5000/x:1", "127.0.0.1:5000/x:1", "my-registry.example:443/a/b@sha256:" + strings.Repeat("0", 64),
		"my_registry:5000/x:1", "[::1]:5000/x:1", "http://m.example/x.wasm", "https://m.example:8443/x.wasm?token=a",
		"file:///opt/x.wasm", "file://x.wasm",
	} {
		p := FromWasmPlugin(wasmPlugin(v1alpha1.WasmPluginSpec{WasmConfig: v1alpha1.WasmConfig{URL: url}}))
		if p.Invalid != "" {
			t.Errorf("%s: %s", url, p.Invalid)
		}
	}
}
