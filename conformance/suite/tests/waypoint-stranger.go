package tests

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "WaypointStranger",
		Description: "Who is not in a waypoint's Pod reaches neither its PROXY port nor the listeners of its Services, so that nobody but its ztunnel says whose and whereto a connection is.",
		Features:    []features.FeatureName{suite.AttachToService, suite.Provisioning, suite.ProxyIdentity},
		Manifests:   []string{"base/mesh.yaml", "waypoint-stranger.yaml"},
		OnNode:      true,
		Test: func(t *testing.T, w *suite.World) {
			w.Gateway("stranger", 80)
			stranger, waypoint := w.PodsOf("stranger", 1)[0], w.PodsOf("waypoint", 1)[0]
			reviews := suite.Request{Address: w.Service("reviews", 9080)}
			w.MustAnswer(reviews, suite.Want{Status: 200, Plugins: "marker"})

			// What the Pod's ztunnel does, and what a stranger would like to do: the header says that reviews was asked for.
			answer, err := w.ThroughProxyPort(&waypoint, "127.0.0.1:15088", reviews.Address)
			if err != nil || answer.Status != 200 || answer.Plugins != "marker" {
				t.Fatalf("from inside the Pod: %+v, %v", answer, err)
			}
			for _, port := range []string{"15088", "9080", "15000"} {
				_, err := w.ThroughProxyPort(&stranger, waypoint.Status.PodIP+":"+port, reviews.Address)
				if !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("a stranger at port %s: %v, want that the connection is refused", port, err)
				}
			}
			// The Pod can be reached at all: the kubelet's port is open.
			conn, err := w.DialFrom(&stranger, netip.MustParseAddr(waypoint.Status.PodIP).String()+":15021")
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			policy := &networkingv1.NetworkPolicy{}
			w.Get(w.Object("waypoint", policy), policy)
			for _, rule := range policy.Spec.Ingress {
				for _, p := range rule.Ports {
					if n := p.Port.IntValue(); n != 15008 && n != 15021 {
						t.Errorf("the NetworkPolicy opens port %d", n)
					}
				}
				if len(rule.Ports) == 0 {
					t.Error("the NetworkPolicy opens all ports")
				}
			}
		},
	})
}
