package suite

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// waypointPort is where a waypoint takes connections with the PROXY protocol.
const waypointPort = 15088

// ztunnel gives the way of one connection to a Service's own address, as ztunnel takes it for a client in an ambient mesh:
// to the waypoint to which the Service is bound, with a PROXY header that holds the address that was asked for, and
// otherwise straight to the Pod. It asks the API server each time, so it never lags behind.
func (w *World) ztunnel(service types.NamespacedName, vip string, port int32) func() (net.Conn, error) {
	pod := net.JoinHostPort(w.backends[service], strconv.Itoa(int(port)))
	destination := netip.AddrPortFrom(netip.MustParseAddr(vip), uint16(port))
	return func() (net.Conn, error) {
		dial, err := w.waypoint(service)
		if err != nil {
			return nil, err
		}
		if dial == nil {
			return net.Dial("tcp", pod)
		}
		conn, err := dial()
		if err != nil {
			return nil, err
		}
		source := conn.LocalAddr().(*net.TCPAddr).AddrPort()
		if _, err := conn.Write(proxyHeader(source, destination)); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
}

// waypoint connects to the waypoint to which a Service is bound; nil: there is none.
func (w *World) waypoint(key types.NamespacedName) (dial func() (net.Conn, error), err error) {
	ctx := context.Background()
	var service corev1.Service
	if err := w.client.Get(ctx, key, &service); err != nil {
		return nil, err
	}
	bound := false
	for _, c := range service.Status.Conditions {
		bound = bound || c.Type == ext.ConditionWaypointBound && c.Status == "True"
	}
	if !bound {
		return nil, nil
	}
	labels := service.Labels
	if labels[ext.LabelUseWaypoint] == "" {
		var namespace corev1.Namespace
		if err := w.client.Get(ctx, types.NamespacedName{Name: key.Namespace}, &namespace); err != nil {
			return nil, err
		}
		labels = namespace.Labels
	}
	name := types.NamespacedName{Namespace: cmp.Or(labels[ext.LabelUseWaypointNamespace], key.Namespace), Name: labels[ext.LabelUseWaypoint]}
	var gateway gatewayv1.Gateway
	if err := w.client.Get(ctx, name, &gateway); err != nil {
		return nil, err
	}
	address := gateway.Annotations[ext.AnnotationListenAddresses]
	if address == "" { // its proxies are on the node
		return func() (net.Conn, error) { return w.intoPod(name) }, nil
	}
	return func() (net.Conn, error) {
		return net.Dial("tcp", net.JoinHostPort(address, strconv.Itoa(waypointPort)))
	}, nil
}

// clientIdentity is what ztunnel says of all clients of the suite.
const clientIdentity = "spiffe://cluster.local/ns/clients/sa/client"

// identityTLV is the type under which ztunnel passes the client's identity (PROXY_PROTOCOL_AUTHORITY_TLV of istio/ztunnel).
const identityTLV = 0xd0

// proxyHeader is version 2 of the PROXY protocol for TCP over IPv4: "PROXY", the addresses, and the client's identity.
func proxyHeader(source, destination netip.AddrPort) []byte {
	const addresses, tlv = 12, 3 + len(clientIdentity)
	out := []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11")
	out = binary.BigEndian.AppendUint16(out, uint16(addresses+tlv))
	for _, a := range []netip.AddrPort{source, destination} {
		ip := a.Addr().Unmap().As4()
		out = append(out, ip[:]...)
	}
	out = binary.BigEndian.AppendUint16(out, source.Port())
	out = binary.BigEndian.AppendUint16(out, destination.Port())
	out = binary.BigEndian.AppendUint16(append(out, identityTLV), uint16(len(clientIdentity)))
	return append(out, clientIdentity...)
}
