package server

import (
	"fmt"
	"net/netip"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

func TestAddressesThatClientsAskedAWaypointForCutNobodyOff(t *testing.T) {
	gateway := types.NamespacedName{Namespace: "shop", Name: "waypoint"}
	a := asked{gateway: gateway, group: cache.NewHub().Group(gateway)}
	scan := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeCluster}
	for port := range 65535 { // every port of one address
		scan.ResourceNamesSubscribe = append(scan.ResourceNamesSubscribe, names.Address(netip.AddrPortFrom(netip.MustParseAddr("10.96.0.1"), uint16(port+1))))
	}
	if err := a.take(scan); err != nil || len(a.unknown) > 0 {
		t.Errorf("%v, and %d names are kept", err, len(a.unknown))
	}
	other := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeCluster}
	for i := range maxUnknown + 1 {
		other.ResourceNamesSubscribe = append(other.ResourceNamesSubscribe, fmt.Sprint("cluster-", i))
	}
	if err := a.take(other); err == nil {
		t.Errorf("%d other names are taken", len(other.ResourceNamesSubscribe))
	}
}
