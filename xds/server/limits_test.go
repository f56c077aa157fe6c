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
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/names"
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
	if n, ok := settings.Value(http2.SettingMaxConcurrentStreams); !ok || n != 4096 {
		t.Errorf("the connection may have %d streams (told: %v), want 4096", n, ok)
	}
}

func TestNamesThatNobodyHasHaveABound(t *testing.T) {
	for name, c := range map[string]struct{ url, name string }{
		"slots":     {server.TypeExtensionConfig, slotName(80)},
		"endpoints": {server.TypeEndpoint, "cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			p.set(nil, 81)
			proxy := testbed.Connect(t, p.addr, node("default/gw"), nil)
			proxy.Lane(names.Prefetch(gw), nil)
			many := make([]string, 50000)
			for i := range many {
				many[i] = fmt.Sprintf("%s-%d", c.name, i)
			}
			proxy.Subscribe(c.url, many, nil)
			proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(81)}, nil)
			proxy.Wait(30*time.Second, "the stream is served", func() bool { return proxy.Held(server.TypeExtensionConfig)[slotName(81)] != "" })
			proxy.Subscribe(c.url, []string{c.name}, nil)
			proxy.Wait(10*time.Second, "the end of the stream", func() bool { return proxy.Err() != nil })
			want := "the proxy asks for more than 50000 resources that Gateway default/gw does not have"
			if err := proxy.Err(); status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), want) {
				t.Errorf("the stream ended with %v, want %s", err, want)
			}
		})
	}
}

func TestNamesThatCameToBeAreNotAmongThoseThatNobodyHas(t *testing.T) {
	p := start(t)
	proxy := testbed.Connect(t, p.addr, node("default/gw"), nil)
	proxy.Lane(names.Prefetch(gw), nil)
	list, slots := ports(50000)
	p.set(nil, 81)
	proxy.Subscribe(server.TypeExtensionConfig, slots, nil)
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(81)}, nil)
	proxy.Wait(30*time.Second, "all names are taken", func() bool { return proxy.Held(server.TypeExtensionConfig)[slotName(81)] != "" })
	p.set(nil, list...)
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
	p.set([]build.Entry{lua("a", "-- a")}, 80) // alone, so that it goes before the others
	proxy.Wait(30*time.Second, "the slot that was asked for last", func() bool { return proxy.Held(server.TypeExtensionConfig)[slotName(80)] != "" })
	if err := proxy.Err(); err != nil {
		t.Errorf("the stream ended with %v", err)
	}
}
