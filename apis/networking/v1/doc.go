// Package v1 holds networking.istio.io's ServiceEntry, with every field of Istio's API under the same JSON name.
// wasmpoint reads ServiceEntries (they can be targets, and can use a waypoint) and never writes them, so there is no
// CRD here: a cluster that has ServiceEntries has Istio's.
//
// +kubebuilder:object:generate=true
// +groupName=networking.istio.io
package v1
