package model

import (
	"reflect"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

func ptr[T any](v T) *T { return &v }

func wasmPlugin(spec v1alpha1.WasmPluginSpec) *v1alpha1.WasmPlugin {
	if spec.URL == "" {
		spec.URL = "oci://r.example/x:1"
	}
	return &v1alpha1.WasmPlugin{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}, Spec: spec}
}

func TestTheDefaultsOfAWasmPlugin(t *testing.T) {
	got := FromWasmPlugin(wasmPlugin(v1alpha1.WasmPluginSpec{}))
	want := &Plugin{
		Key:  Key{Kind: "WasmPlugin", Namespace: "ns", Name: "p"},
		Type: TypeHTTP, Phase: PhaseUnspecified, FailStrategy: FailClose,
		Wasm: &Wasm{URL: "oci://r.example/x:1"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestEveryFieldOfAWasmPluginArrives(t *testing.T) {
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	sha := strings.Repeat("0a", 32)
	got := FromWasmPlugin(&v1alpha1.WasmPlugin{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "p", Generation: 7, CreationTimestamp: metav1.NewTime(made),
			Annotations: map[string]string{v1alpha1.AnnotationIsolated: "true"},
		},
		Spec: v1alpha1.WasmPluginSpec{
			Phase: "AUTHN", Priority: ptr[int32](-5),
			Match: []*v1alpha1.TrafficSelector{nil, {Mode: "SERVER", Ports: []v1alpha1.PortSelector{{Number: 80}}}, {Mode: "UNDEFINED"}},
			TargetRefs: []v1alpha1.PolicyTargetReference{
				{Group: "gateway.networking.k8s.io", Kind: "Gateway", Name: "gw"},
				{Group: "gateway.networking.k8s.io", Kind: "GatewayClass", Name: "c"},
				{Group: "core", Kind: "Service", Name: "s", Namespace: "ns"},
			},
			WasmConfig: v1alpha1.WasmConfig{
				URL: "oci://r.example/x:1", SHA256: sha, ImagePullPolicy: "Always", ImagePullSecret: "secret",
				VerificationKey: "key", PluginName: "root", FailStrategy: "FAIL_OPEN", Type: "NETWORK",
				PluginConfig: &apiextensionsv1.JSON{Raw: []byte(`{"b":1.50,"a":{"d":"<&>","c":12345678901234567890}}`)},
				VMConfig: &v1alpha1.VMConfig{Env: []v1alpha1.EnvVar{
					{Name: "B", Value: "x"}, {Name: "A", ValueFrom: "HOST"}, {Name: "C", ValueFrom: "INLINE"},
				}},
			},
		},
	})
	want := &Plugin{
		Key:        Key{Kind: "WasmPlugin", Namespace: "ns", Name: "p"},
		Generation: 7, Created: made, Type: TypeNetwork, Phase: PhaseAuthn, Priority: ptr[int32](-5), FailStrategy: FailOpen,
		Match: []TrafficSelector{{Mode: ModeServer, Ports: []int32{80}}, {}},
		Targets: []TargetRef{
			{Group: "gateway.networking.k8s.io", Kind: "Gateway", Namespace: "ns", Name: "gw"},
			{Group: "gateway.networking.k8s.io", Kind: "GatewayClass", Name: "c"},
			{Kind: "Service", Namespace: "ns", Name: "s"},
		},
		Wasm: &Wasm{
			URL: "oci://r.example/x:1", SHA256: sha, PullPolicy: "Always", PullSecret: "secret", VerificationKey: "key", RootID: "root",
			Config: []byte(`{"a":{"c":12345678901234567890,"d":"<&>"},"b":1.50}`),
			Env:    []EnvVar{{Name: "B", Value: "x"}, {Name: "A", FromHost: true}, {Name: "C"}},
		},
		Isolated: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v %+v\nwant\n%+v %+v", got, got.Wasm, want, want.Wasm)
	}
}

func TestEveryFieldOfATrafficExtensionArrives(t *testing.T) {
	meta := metav1.ObjectMeta{Namespace: "ns", Name: "p", Generation: 2}
	got := FromTrafficExtension(&v1alpha1.TrafficExtension{ObjectMeta: meta, Spec: v1alpha1.TrafficExtensionSpec{
		Phase: "STATS", Priority: ptr[int32](1),
		Selector: &v1alpha1.WorkloadSelector{MatchLabels: map[string]v1alpha1.LabelValue{"app": "gw"}},
		Wasm:     &v1alpha1.WasmConfig{URL: "file:///x.wasm", FailStrategy: "FAIL_RELOAD", Type: "HTTP", ImagePullPolicy: "UNSPECIFIED_POLICY"},
	}})
	want := &Plugin{
		Key: Key{Kind: "TrafficExtension", Namespace: "ns", Name: "p"}, Generation: 2,
		Type: TypeHTTP, Phase: PhaseStats, Priority: ptr[int32](1), FailStrategy: FailReload,
		Selector: map[string]string{"app": "gw"}, Wasm: &Wasm{URL: "file:///x.wasm"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got = FromTrafficExtension(&v1alpha1.TrafficExtension{ObjectMeta: meta, Spec: v1alpha1.TrafficExtensionSpec{
		Phase: "UNSPECIFIED", Lua: &v1alpha1.LuaConfig{InlineCode: "x = 1"},
	}})
	want = &Plugin{
		Key: Key{Kind: "TrafficExtension", Namespace: "ns", Name: "p"}, Generation: 2,
		Type: TypeHTTP, Phase: PhaseUnspecified, FailStrategy: FailClose, Lua: "x = 1",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTheSingleTargetCountsOnlyWhenTheListIsEmpty(t *testing.T) {
	one := &v1alpha1.PolicyTargetReference{Kind: "Service", Name: "one"}
	for name, c := range map[string]struct {
		list []v1alpha1.PolicyTargetReference
		want string
	}{
		"no list":       {nil, "one"},
		"an empty list": {[]v1alpha1.PolicyTargetReference{}, "one"},
		"a list":        {[]v1alpha1.PolicyTargetReference{{Kind: "Service", Name: "listed"}}, "listed"},
	} {
		p := FromWasmPlugin(wasmPlugin(v1alpha1.WasmPluginSpec{TargetRef: one, TargetRefs: c.list}))
		if len(p.Targets) != 1 || p.Targets[0].Name != c.want {
			t.Errorf("%s: targets %v, want %s", name, p.Targets, c.want)
		}
	}
}

func TestAnEmptySelectorIsNotNoSelector(t *testing.T) {
	for name, c := range map[string]struct {
		in      *v1alpha1.WorkloadSelector
		wantNil bool
	}{
		"none":      {nil, true},
		"empty":     {&v1alpha1.WorkloadSelector{}, false},
		"no labels": {&v1alpha1.WorkloadSelector{MatchLabels: map[string]v1alpha1.LabelValue{}}, false},
	} {
		p := FromWasmPlugin(wasmPlugin(v1alpha1.WasmPluginSpec{Selector: c.in}))
		if (p.Selector == nil) != c.wantNil || p.Invalid != "" {
			t.Errorf("%s: selector %#v, invalid %q", name, p.Selector, p.Invalid)
		}
	}
}

func TestPortZeroIsKeptBecauseItMatchesNothing(t *testing.T) {
	p := FromWasmPlugin(wasmPlugin(v1alpha1.WasmPluginSpec{Match: []*v1alpha1.TrafficSelector{{Ports: []v1alpha1.PortSelector{{}}}}}))
	if want := []TrafficSelector{{Ports: []int32{0}}}; !reflect.DeepEqual(p.Match, want) {
		t.Errorf("match %v, want %v", p.Match, want)
	}
}

func TestConfigurationsThatMeanTheSameAreTheSameBytes(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{``, ""},
		{`null`, ""},
		{`{}`, `{}`},
		{` { "b" : [ 1 , null ] , "a" : "x" } `, `{"a":"x","b":[1,null]}`},
		{`{"a":"\u003c"}`, `{"a":"<"}`},
	} {
		p := FromWasmPlugin(wasmPlugin(v1alpha1.WasmPluginSpec{WasmConfig: v1alpha1.WasmConfig{
			PluginConfig: &apiextensionsv1.JSON{Raw: []byte(c.in)},
		}}))
		if string(p.Wasm.Config) != c.want || (p.Wasm.Config == nil) != (c.want == "") || p.Invalid != "" {
			t.Errorf("%s: config %q, want %q; invalid %q", c.in, p.Wasm.Config, c.want, p.Invalid)
		}
	}
}

func TestTheResultSharesNothingWithTheObject(t *testing.T) {
	in := wasmPlugin(v1alpha1.WasmPluginSpec{
		Priority: ptr[int32](1),
		Match:    []*v1alpha1.TrafficSelector{{Ports: []v1alpha1.PortSelector{{Number: 1}}}},
		Selector: &v1alpha1.WorkloadSelector{MatchLabels: map[string]v1alpha1.LabelValue{"a": "b"}},
	})
	p := FromWasmPlugin(in)
	*in.Spec.Priority = 2
	in.Spec.Match[0].Ports[0].Number = 2
	in.Spec.Selector.MatchLabels["a"] = "c"
	if *p.Priority != 1 || p.Match[0].Ports[0] != 1 || p.Selector["a"] != "b" {
		t.Errorf("a change of the object changed the plugin: %+v", p)
	}
}

func TestNothingIsConvertedFromNil(t *testing.T) {
	if FromWasmPlugin(nil) != nil || FromTrafficExtension(nil) != nil {
		t.Error("nil gave a plugin")
	}
}
