package server

import (
	"strings"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// maxUnknown is how many names a stream may ask for that its Gateway does not have. An honest proxy has many of them for a moment: it
// comes back with the listeners of 2,000 Services of three ports, which left the waypoint while the controller was away. To refuse
// it would keep it from hearing that.
const maxUnknown = 50000

// asked are the names that a stream asks for and its Gateway did not have when they came. Its reader keeps them.
type asked struct {
	gateway types.NamespacedName
	group   *cache.Group
	unknown map[resourceName]struct{}
}

type resourceName struct{ url, name string }

// take notes what a message asks for; the error ends the stream.
func (a *asked) take(r *discoveryv3.DeltaDiscoveryRequest) error {
	for _, n := range r.ResourceNamesUnsubscribe {
		delete(a.unknown, resourceName{r.TypeUrl, n})
	}
	for _, n := range r.ResourceNamesSubscribe {
		a.note(resourceName{r.TypeUrl, n})
	}
	for n := range r.InitialResourceVersions {
		a.note(resourceName{r.TypeUrl, n})
	}
	if len(a.unknown) <= maxUnknown {
		return nil
	}
	for n := range a.unknown { // what came to be since
		if a.has(n) {
			delete(a.unknown, n)
		}
	}
	if len(a.unknown) <= maxUnknown {
		return nil
	}
	return status.Errorf(codes.ResourceExhausted, "the proxy asks for more than %d resources that Gateway %s does not have; "+
		"look which listeners its bootstrap or another server gives it", maxUnknown, a.gateway)
}

func (a *asked) note(n resourceName) {
	// A waypoint asks for the cluster of every address that any client asked it for, and has all clusters without that.
	if n.name == "*" || n.url == TypeCluster && strings.HasPrefix(n.name, names.AddressPrefix) || a.has(n) {
		return
	}
	if a.unknown == nil {
		a.unknown = map[resourceName]struct{}{}
	}
	a.unknown[n] = struct{}{}
}

func (a *asked) has(n resourceName) bool {
	if n.url == TypeExtensionConfig {
		return a.group.Slot(n.name) != nil
	}
	return a.group.Has(n.url, n.name)
}
