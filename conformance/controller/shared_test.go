//go:build faults

package controller

import (
	"testing"

	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
)

// TestFaultsOfObjects has one replica, and all that happens to objects in turn, each in a namespace of its own.
func TestFaultsOfObjects(t *testing.T) {
	t.Parallel()
	audits, record := withAudit(t)
	w := newWorld(t, testcluster.WithControllerManager(), record)
	r := w.start("a").ready()
	for _, c := range []struct {
		name string
		run  func(*testing.T, *world, *replica, *audit)
	}{
		{"a second writer that hammers the same status keeps its entries, and ours are written", testSecondWriter},
		{"16 foreign ancestors leave ours no room: enforcement goes on, and the conditions say so", testFullAncestors},
		{"a plugin that is deleted while its module is fetched leaves nothing behind", testDeletedWhileFetching},
		{"a Gateway that is deleted while it serves closes, and serves again when it is created again", testGatewayComesAgain},
		{"a Namespace that ends takes its plugins along without a storm of errors", testNamespaceEnds},
		{"a proxy that crashes again and again does not vanish from the count", testCrashLoop},
		{"a Deployment of proxies that is scaled up and down makes few writes", testScaling},
		{"a plugin of one of 2,000 Services of a waypoint moves no byte for the others", testManyServices},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, w.in(t), r.in(t), audits) })
	}
}
