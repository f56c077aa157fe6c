package model

import "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"

// MeshPolicy is an Istio policy (security.istio.io) that Istio's own waypoints enforce and stock Envoy does not: an
// AuthorizationPolicy or a RequestAuthentication. Where it is attached is all that is kept: wasmpoint says that it does not act.
type MeshPolicy struct {
	// Key has the policy's own kind.
	Key
	// Targets are its references, as a plugin's; none: it concerns workloads, and ztunnel.
	Targets []TargetRef
}

// NewMeshPolicy reads a policy's references as a plugin's are read: targetRef counts when targetRefs is empty.
func NewMeshPolicy(key Key, one *v1alpha1.PolicyTargetReference, several []v1alpha1.PolicyTargetReference) *MeshPolicy {
	if len(several) == 0 && one != nil {
		several = []v1alpha1.PolicyTargetReference{*one}
	}
	var bad problems // Istio says itself what is wrong with a policy
	return &MeshPolicy{Key: key, Targets: targets(several, "spec.targetRefs", key.Namespace, &bad)}
}
