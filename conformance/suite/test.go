package suite

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"
)

// Test is one behaviour.
type Test struct {
	// ShortName names it in reports and on the command line.
	ShortName string
	// Description is one sentence that is true of a conformant implementation.
	Description string
	// Features are all that it needs.
	Features []features.FeatureName
	// Manifests are files of Options.Manifests, applied before Test is called and taken away afterwards.
	Manifests []string
	// OnNode has the controller make the proxies of the test's Gateways, whose Pods run on the suite's node; a Gateway that
	// names a host in its addresses has those that the test makes. Left out in a cluster that is not the suite's own.
	OnNode bool
	// OwnCluster leaves the test out in a cluster that is not the suite's own: it needs what others may not have.
	OwnCluster bool
	// Test checks the behaviour.
	Test func(t *testing.T, w *World)
}
