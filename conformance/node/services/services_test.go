package services

import (
	"fmt"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

func slice(port string, number int32, endpoints ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4, Endpoints: endpoints}
	s.Namespace, s.Name = "n", fmt.Sprintf("%s-%d", port, number)
	s.Labels = map[string]string{discoveryv1.LabelServiceName: "headless"}
	s.Ports = []discoveryv1.EndpointPort{{Name: &port, Port: &number}}
	return s
}

func endpoint(address string, ready, terminating bool) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: &ready, Terminating: &terminating}}
}

func TestOnlyReadyEndpointsOfThePortTakeConnections(t *testing.T) {
	all := []*discoveryv1.EndpointSlice{
		slice("http", 80, endpoint("10.0.0.1", true, false), endpoint("10.0.0.2", false, true), endpoint("10.0.0.3", false, false)),
		slice("http", 80, endpoint("10.0.0.1", true, false), discoveryv1.Endpoint{Addresses: []string{"10.0.0.4"}}),
		slice("tcp", 90, endpoint("10.0.0.5", true, false)),
	}
	got := endpoints(corev1.ServicePort{Name: "http", Port: 8080}, all)
	if want := []string{"10.0.0.1:80", "10.0.0.4:80"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestConnectionsTakeTurns(t *testing.T) {
	d := &door{}
	var behind []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		behind = append(behind, l.Addr().String())
	}
	d.behind.Store(&behind)
	seen := map[string]int{}
	for range 4 {
		c, err := d.dial()
		if err != nil {
			t.Fatal(err)
		}
		seen[c.RemoteAddr().String()]++
		_ = c.Close()
	}
	if seen[behind[0]] != 2 || seen[behind[1]] != 2 {
		t.Errorf("%v", seen)
	}
	d.behind.Store(&[]string{})
	if _, err := d.dial(); err == nil {
		t.Error("a Service without endpoints answers")
	}
}

func TestAPortThatWasTakenIsListenedOnWhenItIsFree(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().(*net.TCPAddr)
	service := &corev1.Service{}
	service.Namespace, service.Name, service.Spec.ClusterIP = "n", "usual", address.IP.String()
	service.Spec.Ports = []corev1.ServicePort{{Port: int32(address.Port)}}
	factory := informers.NewSharedInformerFactory(fake.NewClientset(service), 0)
	key := types.NamespacedName{Namespace: "n", Name: "usual"}
	r := &Relay{
		services: factory.Core().V1().Services().Lister(), slices: factory.Discovery().V1().EndpointSlices().Lister(),
		chosen: func(*corev1.Service) bool { return true }, log: slog.New(slog.DiscardHandler),
		running: map[types.NamespacedName]*front{key: {ip: service.Spec.ClusterIP, ports: map[int32]*door{}, taken: map[int32]bool{}}}, // its address is local already
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	open := func() *door {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.running[key].ports[int32(address.Port)]
	}
	if r.sync(key); open() != nil {
		t.Fatal("the port was not taken")
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, 20*time.Second, "the port is listened on", func() (bool, string) { return open() != nil, "" })
	_ = open().listener.Close()
}

func TestServicesHaveNames(t *testing.T) {
	usual, headless := &corev1.Service{}, &corev1.Service{}
	usual.Namespace, usual.Name, usual.Spec.ClusterIP = "n", "usual", "10.96.0.7"
	headless.Namespace, headless.Name, headless.Spec.ClusterIP = "n", "headless", corev1.ClusterIPNone
	client := fake.NewClientset(usual, headless, slice("http", 80, endpoint("10.0.0.1", true, false), endpoint("10.0.0.2", false, false)))
	factory := informers.NewSharedInformerFactory(client, 0)
	d := &DNS{services: factory.Core().V1().Services().Lister(), slices: factory.Discovery().V1().EndpointSlices().Lister()}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	for _, c := range []struct {
		name string
		kind dnsmessage.Type
		want []string
		code dnsmessage.RCode
	}{
		{"usual.n.svc.cluster.local.", dnsmessage.TypeA, []string{"10.96.0.7"}, dnsmessage.RCodeSuccess},
		{"Usual.N.svc.cluster.local.", dnsmessage.TypeA, []string{"10.96.0.7"}, dnsmessage.RCodeSuccess},
		{"usual.n.svc.cluster.local.", dnsmessage.TypeAAAA, nil, dnsmessage.RCodeSuccess},
		{"headless.n.svc.cluster.local.", dnsmessage.TypeA, []string{"10.0.0.1"}, dnsmessage.RCodeSuccess},
		{"usual.other.svc.cluster.local.", dnsmessage.TypeA, nil, dnsmessage.RCodeNameError},
		{"registry.example.", dnsmessage.TypeA, nil, dnsmessage.RCodeNameError},
	} {
		question := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{
			{Name: dnsmessage.MustNewName(c.name), Type: c.kind, Class: dnsmessage.ClassINET},
		}}
		packet, err := question.Pack()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := d.answer(packet)
		if err != nil {
			t.Fatal(err)
		}
		var answer dnsmessage.Message
		if err := answer.Unpack(raw); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range answer.Answers {
			r := a.Body.(*dnsmessage.AResource)
			got = append(got, net.IP(r.A[:]).String())
		}
		if answer.ID != 7 || answer.RCode != c.code || !slices.Equal(got, c.want) {
			t.Errorf("%s %s: %v %s, want %v %s", c.name, c.kind, got, answer.RCode, c.want, c.code)
		}
	}
}
