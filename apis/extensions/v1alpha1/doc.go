// Package v1alpha1 holds the two plugin kinds of extensions.istio.io/v1alpha1, WasmPlugin and TrafficExtension, with
// every field of Istio's API under the same JSON name, so that existing manifests load unchanged. The schema, its CEL
// rules and the limits follow Istio's CRDs; where a rule differs, ../../README.md says so.
//
// The package depends on the Gateway API types (status.ancestors) and on apimachinery, and on no istio.io module.
//
// +kubebuilder:object:generate=true
// +groupName=extensions.istio.io
package v1alpha1
