package dataplane

import (
	"reflect"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
)

func TestEndpointsAreWhatTheSlicesSay(t *testing.T) {
	yes, no := true, false
	svc := &corev1.Service{ObjectMeta: meta("web"), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}, {Name: "other", Port: 81}}}}
	s := slice("web", "http", "10.0.0.9:8080")
	s.Endpoints = []discoveryv1.Endpoint{
		{Addresses: []string{"10.0.0.2"}, Conditions: discoveryv1.EndpointConditions{Ready: &no, Serving: &yes, Terminating: &yes}},
		{Addresses: []string{"10.0.0.3"}, Conditions: discoveryv1.EndpointConditions{Ready: &no, Serving: &no, Terminating: &yes}},
		{Addresses: []string{"10.0.0.4"}, Conditions: discoveryv1.EndpointConditions{Ready: &no, Serving: &yes}},
	}
	leaving := ServiceDestination(svc, []*discoveryv1.EndpointSlice{s}, 80, HTTP)
	if want := []Endpoint{{Address: "10.0.0.2", Port: 8080}}; !reflect.DeepEqual(leaving.Endpoints, want) {
		t.Errorf("with none ready, those that serve while they terminate take over: got %v, want %v", leaving.Endpoints, want)
	}
	s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{"10.0.0.9"}, Conditions: discoveryv1.EndpointConditions{Ready: &yes}},
		discoveryv1.Endpoint{Addresses: []string{"10.0.0.1"}})
	six := slice("web", "http", "[fd00::1]:8080")
	six.AddressType = discoveryv1.AddressTypeIPv6
	again := slice("web", "http", "10.0.0.1:8080") // an endpoint may stand in two slices while it moves
	ready := ServiceDestination(svc, []*discoveryv1.EndpointSlice{s, six, again}, 80, HTTP)
	want := []Endpoint{{Address: "10.0.0.1", Port: 8080}, {Address: "10.0.0.9", Port: 8080}, {Address: "fd00::1", Port: 8080}}
	if !reflect.DeepEqual(ready.Endpoints, want) {
		t.Errorf("ready ones of all slices, each once: got %v, want %v", ready.Endpoints, want)
	}
	for name, port := range map[string]int32{"a port that the slices do not have": 81, "a port that the Service does not have": 82} {
		if d := ServiceDestination(svc, []*discoveryv1.EndpointSlice{s}, port, HTTP); len(d.Endpoints) != 0 {
			t.Errorf("%s has endpoints %v", name, d.Endpoints)
		}
	}
}

func TestServiceEntriesResolveTheirWay(t *testing.T) {
	entry := func(r networkingv1.Resolution, endpoints ...networkingv1.WorkloadEntry) *networkingv1.ServiceEntry {
		return &networkingv1.ServiceEntry{ObjectMeta: meta("ext"), Spec: networkingv1.ServiceEntrySpec{
			Hosts: []string{"api.example.com", "*.example.com"}, Resolution: r, Endpoints: endpoints,
			Ports: []networkingv1.ServicePort{{Number: 80, Name: "http", TargetPort: 8080}, {Number: 443, Name: "tls"}},
		}}
	}
	for _, c := range []struct {
		name  string
		entry *networkingv1.ServiceEntry
		port  int32
		want  []Endpoint
		kind  string
	}{
		{
			"static endpoints with a port of their own", entry(networkingv1.ResolutionStatic, networkingv1.WorkloadEntry{Address: "10.0.0.1", Ports: map[string]uint32{"http": 9}, Weight: 5}, networkingv1.WorkloadEntry{Address: "not-an-ip"}),
			80, []Endpoint{{Address: "10.0.0.1", Port: 9, Weight: 5}}, "EDS",
		},
		{"DNS of the hosts, wildcards left out", entry(networkingv1.ResolutionDNS), 80, []Endpoint{{Address: "api.example.com", Port: 8080}}, "envoy.cluster.dns"},
		{"DNS of an endpoint", entry(networkingv1.ResolutionDNSRoundRobin, networkingv1.WorkloadEntry{Address: "db.example.com"}), 443, []Endpoint{{Address: "db.example.com", Port: 443}}, "envoy.cluster.dns"},
		{"no resolution goes where the client wanted", entry(""), 80, nil, "ORIGINAL_DST"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := EntryDestination(c.entry, c.port, HTTP)
			if !reflect.DeepEqual(d.Endpoints, c.want) {
				t.Errorf("got %v, want %v", d.Endpoints, c.want)
			}
			cluster := Upstream(&d)[0].Message.(*clusterv3.Cluster)
			kind := cluster.GetType().String()
			if own := cluster.GetClusterType(); own != nil {
				kind = own.Name
			}
			if kind != c.kind {
				t.Errorf("got a cluster of type %v, want %v", kind, c.kind)
			}
		})
	}
}

func TestARealEnvoyTakesEveryKindOfCluster(t *testing.T) {
	var resources []Resource
	for i, r := range []Resolution{ByEndpoints, ByDNS, ByFirstDNS, ByOriginal} {
		for _, p := range []Protocol{TCP, HTTP, HTTP2, GRPCWeb} {
			d := Destination{Service: scopeOf("s", 0).Service, Port: int32(i), Protocol: p, Resolution: r}
			if r != ByOriginal {
				d.Endpoints = []Endpoint{{Address: "127.0.0.1", Port: 1}}
			}
			resources = append(resources, Upstream(&d)...)
		}
	}
	startEnvoy(t, Sort(append(resources, Prefetch(gateway))))
}
