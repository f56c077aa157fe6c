package server_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// silent opens a stream and says nothing.
func silent(t *testing.T, p *plane) discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient {
	t.Helper()
	conn, err := grpc.NewClient(p.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	ads, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return ads
}

func TestWhoMayNotSpeakIsRefusedBeforeAnythingIsRead(t *testing.T) {
	p := startAs(t, func(o *server.Options) {
		o.Admit = func(context.Context) error { return status.Error(codes.Unauthenticated, "show a token") }
	})
	if _, err := silent(t, p).Recv(); status.Code(err) != codes.Unauthenticated || status.Convert(err).Message() != "show a token" {
		t.Errorf("a silent stream ended with %v, want the refusal", err)
	}
}

func TestAStreamThatSaysNothingEnds(t *testing.T) {
	p := startAs(t, func(o *server.Options) { o.WaitForFirst = 100 * time.Millisecond })
	_, err := silent(t, p).Recv()
	if want := "the stream said nothing for 100ms"; status.Code(err) != codes.DeadlineExceeded || !strings.Contains(status.Convert(err).Message(), want) {
		t.Errorf("a silent stream ended with %v, want %s", err, want)
	}
}

func TestAMessageLargerThanAnyProxysIsRefused(t *testing.T) {
	p := start(t)
	ads := silent(t, p)
	if err := ads.Send(&discoveryv3.DeltaDiscoveryRequest{Node: node("default/gw"), TypeUrl: strings.Repeat("x", 33<<20)}); err != nil {
		t.Fatal(err)
	}
	if _, err := ads.Recv(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("33 MiB ended with %v, want ResourceExhausted", err)
	}
}

func TestAWaypointOfTwoThousandServicesComesBackInOneMessage(t *testing.T) {
	p := start(t)
	list, slots := ports(24000)
	p.set(nil, list...)
	versions := map[string]string{}
	for _, s := range slots {
		versions[s] = "empty"
	}
	proxy := testbed.Connect(t, p.addr, node("default/gw"), nil)
	proxy.Subscribe(server.TypeExtensionConfig, slots, versions)
	proxy.Wait(30*time.Second, "the server knows what the proxy holds", func() bool { return p.slot(slots[len(slots)-1]).Synced })
	if n := len(proxy.Responses(server.TypeExtensionConfig)); n != 0 {
		t.Errorf("%d slots were sent, which the proxy has", n)
	}
}

func TestAConnectionHasABoundOfStreams(t *testing.T) {
	p := start(t)
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprint(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	frame, err := framer.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings, is := frame.(*http2.SettingsFrame)
	if !is {
		t.Fatalf("the first frame is %v, want settings", frame)
	}
	if n, ok := settings.Value(http2.SettingMaxConcurrentStreams); !ok || n != 200 {
		t.Errorf("the connection may have %d streams (told: %v), want 200", n, ok)
	}
}
