package dataplane

import (
	"net/netip"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
)

func TestAddressesOfServicesAndEntries(t *testing.T) {
	one := []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	for _, c := range []struct {
		name string
		got  []netip.Addr
		want []netip.Addr
	}{
		{"a Service has its cluster IPs", ServiceAddresses(&corev1.Service{Spec: corev1.ServiceSpec{ClusterIPs: []string{"10.0.0.1"}}}), one},
		{"an older form has one", ServiceAddresses(&corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1"}}), one},
		{"a headless Service has none", ServiceAddresses(&corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: "None"}}), nil},
		{"an entry has its single addresses", EntryAddresses(&networkingv1.ServiceEntry{Spec: networkingv1.ServiceEntrySpec{Addresses: []string{"10.0.0.1/32", "10.0.0.1", "10.1.0.0/16", "x"}}}), one},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
}

func TestABoundListenerNeverConnectsToItself(t *testing.T) {
	in := ServiceInput{
		Scope: scopeOf("s", 80), Addresses: []netip.Addr{local}, Bind: true,
		Destination: Destination{Service: scopeOf("s", 80).Service, Port: 80, Protocol: TCP, Resolution: ByOriginal},
	}
	for _, r := range WaypointService(in) {
		if r.TypeURL == TypeEndpoint {
			return // endpoints, so not the original destination
		}
	}
	t.Error("the cluster goes to the original destination")
}
