package server_test

import (
	"context"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

func TestWhileTheGateIsShutNothingIsPushedAnswersAreTakenAndNewStreamsAreRefused(t *testing.T) {
	p := start(t)
	p.set([]build.Entry{lua("a", "-- one")}, 80)
	hold := false
	proxy := testbed.Connect(t, p.addr, node("default/gw"), func(r *discoveryv3.DeltaDiscoveryResponse) string {
		if hold && r.TypeUrl == server.TypeExtensionConfig {
			return testbed.Hold
		}
		return ""
	})
	lane := proxy.Lane(names.Prefetch(gw), nil)
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
	synced := func() bool { return p.slot(slotName(80)).Synced }
	proxy.Wait(5*time.Second, "the slot", synced)
	hold = true
	p.set([]build.Entry{lua("a", "-- two")}, 80)
	proxy.Wait(5*time.Second, "the second version under way", func() bool { return len(proxy.Responses(server.TypeExtensionConfig)) == 2 })

	p.server.SetServing(false)
	before := p.slot(slotName(80)).Version
	proxy.Release("")
	proxy.Wait(5*time.Second, "the answer is taken", func() bool { return p.slot(slotName(80)).Version != before })
	sent := len(lane.Responses(server.TypeExtensionConfig))
	p.set([]build.Entry{lua("a", "-- three")}, 80)
	refused := testbed.Connect(t, p.addr, node("default/gw"), nil)
	refused.Wait(5*time.Second, "the end of a new stream", func() bool { return refused.Err() != nil })
	if got := status.Code(refused.Err()); got != codes.Unavailable {
		t.Errorf("a new stream ended with %v, want Unavailable", refused.Err())
	}
	// The refused stream's round trip came after the change: a session that did not heed the gate would have sent by now.
	if n := len(lane.Responses(server.TypeExtensionConfig)); n != sent || len(proxy.Responses(server.TypeExtensionConfig)) != 2 {
		t.Errorf("%d responses in the lane and %d in the slot while the gate is shut, want %d and 2", n, len(proxy.Responses(server.TypeExtensionConfig)), sent)
	}

	hold = false
	p.server.SetServing(true)
	proxy.Wait(5*time.Second, "the third version", func() bool { return synced() && len(proxy.Responses(server.TypeExtensionConfig)) == 3 })
	again := testbed.Connect(t, p.addr, node("default/gw"), nil)
	again.Subscribe(server.TypeExtensionConfig, []string{slotName(81)}, nil)
	again.Wait(5*time.Second, "a new stream is taken", func() bool { return len(p.registry.Proxies(gw)) == 2 })
}

func TestTheConnectionOfARefusedProxyIsClosedSoThatItMayReachAnotherReplica(t *testing.T) {
	p := start(t)
	p.server.SetServing(false)
	conn, err := grpc.NewClient(p.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&discoveryv3.DeltaDiscoveryRequest{Node: node("default/gw"), TypeUrl: server.TypeCluster}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Fatalf("the stream ended with %v, want Unavailable", err)
	}
	if !conn.WaitForStateChange(ctx, connectivity.Ready) {
		t.Error("the connection stays open: the next stream comes to the same replica")
	}
}
