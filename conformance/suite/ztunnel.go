package suite

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// waypointPort is where a waypoint takes connections with the PROXY protocol.
const waypointPort = 15088

// ztunnel gives the way of one connection to an address of a Service, as ztunnel takes it for a client in an ambient mesh: to
// the waypoint that the mesh says, with a PROXY header that holds the address that was asked for, and otherwise straight to
// the Pod.
func (w *World) ztunnel(to captured, vip string, port int32) func() (net.Conn, error) {
	pod := net.JoinHostPort(w.backends[to.NamespacedName], strconv.Itoa(int(port)))
	destination := netip.AddrPortFrom(netip.MustParseAddr(vip), uint16(port))
	return func() (net.Conn, error) {
		y := w.mesh.way(to)
		if y.ip == "" {
			return net.Dial("tcp", pod)
		}
		conn, err := w.into(y)
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

// into connects to a waypoint. Its address is a Pod's, or that of the Service in front of its Pods on the node.
func (w *World) into(y way) (net.Conn, error) {
	if netip.MustParsePrefix(podNetwork).Contains(netip.MustParseAddr(y.ip)) {
		return net.Dial("tcp", y.address())
	}
	return w.intoPod(y.waypoint)
}

// captured names a Service or ServiceEntry by "Kind/name" or "Kind/namespace/name".
func (w *World) captured(target string) captured {
	kind, name, _ := strings.Cut(target, "/")
	return captured{kind, w.of(named(name))}
}

// ClientID is what ztunnel says of all clients of the suite.
const ClientID = "spiffe://cluster.local/ns/clients/sa/client"

// identityTLV is the type under which ztunnel passes the client's identity (PROXY_PROTOCOL_AUTHORITY_TLV of istio/ztunnel).
const identityTLV = 0xd0

// proxyHeader is version 2 of the PROXY protocol for TCP over IPv4: "PROXY", the addresses, and the client's identity.
func proxyHeader(source, destination netip.AddrPort) []byte {
	const addresses, tlv = 12, 3 + len(ClientID)
	out := []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11")
	out = binary.BigEndian.AppendUint16(out, uint16(addresses+tlv))
	for _, a := range []netip.AddrPort{source, destination} {
		ip := a.Addr().Unmap().As4()
		out = append(out, ip[:]...)
	}
	out = binary.BigEndian.AppendUint16(out, source.Port())
	out = binary.BigEndian.AppendUint16(out, destination.Port())
	out = binary.BigEndian.AppendUint16(append(out, identityTLV), uint16(len(ClientID)))
	return append(out, ClientID...)
}
