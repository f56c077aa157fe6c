package stored

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	kjson "sigs.k8s.io/json"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// BenchmarkReadingAPluginAsAnInformerDoes compares with the types of the API, which refuse what they cannot hold.
func BenchmarkReadingAPluginAsAnInformerDoes(b *testing.B) {
	p := ext.WasmPlugin{
		TypeMeta:   metav1.TypeMeta{APIVersion: ext.GroupVersion.String(), Kind: ext.KindWasmPlugin},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "auth", Generation: 3, ResourceVersion: "4711"},
		Spec:       ext.WasmPluginSpec{TargetRefs: []ext.PolicyTargetReference{{Group: gatewayv1.GroupName, Kind: "Gateway", Name: "edge"}}},
	}
	p.Spec.URL = "oci://registry.example/auth:1"
	p.Spec.PluginConfig = &apiextensionsv1.JSON{Raw: []byte(`{"text":"` + strings.Repeat("x", 580) + `"}`)}
	fields := metav1.NewFieldsV1(`{"f:spec":{"f:pluginConfig":{},"f:targetRefs":{},"f:url":{}},"f:status":{"f:ancestors":{},"f:conditions":{}}}`)
	for _, manager := range []string{"kubectl", "wasmpoint"} {
		p.ManagedFields = append(p.ManagedFields, metav1.ManagedFieldsEntry{Manager: manager, Operation: "Apply", FieldsV1: fields})
	}
	for _, kind := range []string{"Accepted", "ResolvedRefs", "Programmed", "Ready"} {
		p.Status.Conditions = append(p.Status.Conditions, ext.Condition{
			Type: kind, Status: "True", ObservedGeneration: 3, LastTransitionTime: metav1.NewTime(time.Unix(1e9, 0)), Reason: kind, Message: "3/3 proxies run it",
		})
	}
	p.Status.Ancestors = []gatewayv1.PolicyAncestorStatus{{ControllerName: ext.ControllerName, Conditions: ext.MetaConditions(p.Status.Conditions[:3])}}
	raw, err := json.Marshal(p)
	if err != nil {
		b.Fatal(err)
	}
	for name, into := range map[string]func() any{
		"as it is stored": func() any { return &WasmPlugin{} }, "by the API's types": func() any { return &ext.WasmPlugin{} },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, into()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
