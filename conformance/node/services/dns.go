package services

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
)

// Domain is the cluster's.
const Domain = "cluster.local"

// ttl is how many seconds an answer may be kept: short, as CoreDNS has it.
const ttl = 5

// DNS answers for SERVICE.NAMESPACE.svc.cluster.local, with the Service's address or, if it has none, with those of its
// ready endpoints. It has UDP alone, IPv4 alone, and knows no other names.
type DNS struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
	conn     net.PacketConn
	log      *slog.Logger
}

// ServeDNS answers on port 53 of an address until Close.
func ServeDNS(address netip.Addr, factory informers.SharedInformerFactory, log *slog.Logger) (*DNS, error) {
	conn, err := net.ListenPacket("udp", netip.AddrPortFrom(address, 53).String())
	if err != nil {
		return nil, fmt.Errorf("DNS: %w", err)
	}
	d := &DNS{
		services: factory.Core().V1().Services().Lister(), slices: factory.Discovery().V1().EndpointSlices().Lister(),
		conn: conn, log: log,
	}
	go d.serve()
	return d, nil
}

// Close ends it.
func (d *DNS) Close() error { return d.conn.Close() }

func (d *DNS) serve() {
	buffer := make([]byte, 4096)
	for {
		n, from, err := d.conn.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			d.log.Debug("DNS", "error", err)
			continue
		}
		answer, err := d.answer(buffer[:n])
		if err == nil {
			_, err = d.conn.WriteTo(answer, from)
		}
		if err != nil {
			d.log.Debug("DNS", "from", from, "error", err)
		}
	}
}

// answer is the packet that answers a packet.
func (d *DNS) answer(packet []byte) ([]byte, error) {
	var p dnsmessage.Parser
	header, err := p.Start(packet)
	if err != nil {
		return nil, err
	}
	question, err := p.Question()
	if err != nil {
		return nil, err
	}
	addresses, known := d.lookup(question.Name.String())
	out := dnsmessage.Header{
		ID: header.ID, Response: true, Authoritative: true, RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
	}
	if !known {
		out.RCode = dnsmessage.RCodeNameError
	}
	b := dnsmessage.NewBuilder(nil, out)
	b.EnableCompression()
	if err := errors.Join(b.StartQuestions(), b.Question(question), b.StartAnswers()); err != nil {
		return nil, err
	}
	if question.Type == dnsmessage.TypeA {
		for _, a := range addresses {
			h := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: ttl}
			if err := b.AResource(h, dnsmessage.AResource{A: a.As4()}); err != nil {
				return nil, err
			}
		}
	}
	return b.Finish()
}

// lookup gives the addresses of a name, and whether there is such a name.
func (d *DNS) lookup(name string) ([]netip.Addr, bool) {
	name, ours := strings.CutSuffix(strings.ToLower(name), ".svc."+Domain+".")
	parts := strings.Split(name, ".")
	if !ours || len(parts) != 2 {
		return nil, false
	}
	service, err := d.services.Services(parts[1]).Get(parts[0])
	if err != nil {
		return nil, false
	}
	if service.Spec.ClusterIP != corev1.ClusterIPNone {
		a, err := netip.ParseAddr(service.Spec.ClusterIP)
		return []netip.Addr{a}, err == nil && a.Is4()
	}
	all, err := d.slices.EndpointSlices(service.Namespace).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service.Name}))
	if err != nil {
		return nil, true
	}
	var out []netip.Addr
	for _, s := range all {
		for _, e := range s.Endpoints {
			if a, err := netip.ParseAddr(e.Addresses[0]); err == nil && a.Is4() && ready(e) {
				out = append(out, a)
			}
		}
	}
	return out, true
}
