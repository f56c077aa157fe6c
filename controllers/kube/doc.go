// Package kube is the cluster as a source: it watches the API server through controller-runtime's cache and feeds the
// engine's store, as package files does from a folder of manifests.
//
// Nothing reaches the engine before every watched kind is complete, and its first batch holds all there is: an answer
// from half a world could take a plugin off a gateway. Kinds whose CRD is missing are picked up when it appears.
package kube
