package suite

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/rest"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/node"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// startNode gives the suite's own cluster a node. It relays to the Services of Gateways and of the controller; those of
// tests are the suite's (World.serve).
func (s *Suite) startNode(t *testing.T, config *rest.Config) {
	t.Helper()
	s.node = node.Start(t, node.Options{
		Config: config, Images: []node.Image{node.Envoy(t)}, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Services: func(o *corev1.Service) bool {
			return o.Labels[ext.LabelGatewayName] != "" || o.Namespace == s.systemNamespace() || o.Name == "kubernetes"
		},
	})
}

// publishController makes the controller's Service. The controller is a process of the suite, which Pods see at the node's
// address.
func (s *Suite) publishController(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	service := &corev1.Service{}
	service.Namespace, service.Name = s.systemNamespace(), "wasmpoint"
	slice := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4}
	slice.Namespace, slice.Name = service.Namespace, service.Name
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: service.Name}
	slice.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{s.node.Address().String()}}}
	for name, address := range map[string]string{"xds": xdsAddress, "modules": modulesAddress} {
		port := int32(netip.MustParseAddrPort(address).Port())
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{Name: name, Port: port})
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &name, Port: &port})
	}
	must(t, s.client.Create(ctx, service))
	must(t, s.client.Create(ctx, slice))
}

// Bootstrap makes the ConfigMap GATEWAY-bootstrap for Envoys of a Gateway on the node, as `wasmpoint bootstrap` prints it.
// Each Pod gives its own name by --service-node, and mounts its token where provisioned Pods do.
func (w *World) Bootstrap(gateway string) {
	w.t.Helper()
	key := w.of(named(gateway))
	server := pki.ServerName(w.systemNamespace())
	at := func(address string) string {
		return server + ":" + strconv.Itoa(int(netip.MustParseAddrPort(address).Port()))
	}
	raw, err := bootstrap.JSON(bootstrap.Config{
		ID: key.Name, Gateway: key, XDS: at(xdsAddress), Modules: at(modulesAddress), Admin: "127.0.0.1:15000",
		TLS: &bootstrap.TLS{CA: w.ca, Name: server}, TokenFile: provision.TokenFile,
	})
	must(w.t, err)
	c := &corev1.ConfigMap{Data: map[string]string{"envoy.json": string(raw)}}
	c.Namespace, c.Name = key.Namespace, key.Name+"-bootstrap"
	must(w.t, w.client.Create(context.Background(), c))
}

// PodsOf waits until a Gateway has exactly n Pods on the node, all of them ready, and gives them.
func (w *World) PodsOf(gateway string, n int) (pods []corev1.Pod) {
	w.t.Helper()
	w.Eventually(fmt.Sprintf("Gateway %s has %d ready Pods", gateway, n), func() string {
		pods = w.pods(gateway)
		ready := 0
		var why []string
		for i := range pods {
			if isReady(&pods[i]) {
				ready++
			} else {
				why = append(why, fmt.Sprintf("%s: %+v", pods[i].Name, pods[i].Status.Conditions))
			}
		}
		if len(pods) == n && ready == n {
			return ""
		}
		return fmt.Sprintf("%d Pods, %d ready: %s", len(pods), ready, strings.Join(why, "; "))
	})
	return pods
}
