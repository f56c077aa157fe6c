package suite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
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

// intoPod connects to a ready Pod of a waypoint on the node, as the ztunnel of its node does: from inside the Pod, where alone
// the waypoint listens.
func (w *World) intoPod(waypoint client.ObjectKey) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), w.Timeouts.Request)
	defer cancel()
	var list corev1.PodList
	if err := w.client.List(ctx, &list, client.InNamespace(waypoint.Namespace), client.MatchingLabels{ext.LabelGatewayName: waypoint.Name}); err != nil {
		return nil, err
	}
	ready := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil || !isReady(&p) })
	if len(ready) == 0 {
		return nil, fmt.Errorf("waypoint %s has no ready Pod", waypoint)
	}
	return w.node.Dial(ctx, &ready[rand.IntN(len(ready))], netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), waypointPort))
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// DialFrom connects from inside the network of a Pod on the node.
func (w *World) DialFrom(p *corev1.Pod, address string) (net.Conn, error) {
	w.t.Helper()
	at, err := netip.ParseAddrPort(address)
	must(w.t, err)
	ctx, cancel := context.WithTimeout(context.Background(), w.Timeouts.Request)
	defer cancel()
	return w.node.Dial(ctx, p, at)
}

// ThroughProxyPort sends a request from inside the network of a Pod on the node to an address at which a waypoint may take
// connections with the PROXY protocol, with a header that says that the destination was asked for.
func (w *World) ThroughProxyPort(from *corev1.Pod, at, destination string) (Answer, error) {
	w.t.Helper()
	asked, err := netip.ParseAddrPort(destination)
	must(w.t, err)
	return w.send(Request{Address: destination}, &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			conn, err := w.DialFrom(from, at)
			if err != nil {
				return nil, err
			}
			source := netip.AddrPortFrom(netip.MustParseAddr(from.Status.PodIP), 40000)
			if _, err := conn.Write(proxyHeader(source, asked)); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			return conn, nil
		},
	})
}
