package suite

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// byHand says in a Gateway that its proxies are the suite's: one that names a host is not provisioned. The address on which
// they listen goes first, because both become the Gateway's status.
func byHand(o *unstructured.Unstructured, address string) error {
	return unstructured.SetNestedSlice(o.Object, []any{
		map[string]any{"type": string(gatewayv1.IPAddressType), "value": address},
		map[string]any{"type": string(gatewayv1.HostnameAddressType), "value": o.GetName() + "." + o.GetNamespace() + ".svc"},
	}, "spec", "addresses")
}

// published waits until a Gateway says that it is programmed, and gives the address in its status.
func (w *World) published(name string) (address string) {
	w.t.Helper()
	key := w.of(named(name))
	eventually(w.t, w.Timeouts.Ready, "Gateway "+key.String()+" is programmed and has an address", func() (bool, string) {
		var gw gatewayv1.Gateway
		if err := w.client.Get(context.Background(), key, &gw); err != nil {
			return false, err.Error()
		}
		why := allMissing(gw.Status.Conditions, gw.Generation, []Expect{True(ext.ConditionAccepted), True(ext.ConditionProgrammed)})
		if why != "" || len(gw.Status.Addresses) == 0 {
			return false, fmt.Sprintf("%s; addresses %+v", why, gw.Status.Addresses)
		}
		address = gw.Status.Addresses[0].Value
		return true, ""
	})
	return address
}
