package server

import (
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestAFrameIsTheSameMessageWithAndWithoutItsCodec(t *testing.T) {
	want := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: TypeExtensionConfig, Nonce: "12", Resources: []*discoveryv3.Resource{
		resource("slot", "version", &anypb.Any{TypeUrl: "t", Value: []byte("body")}),
	}}
	s, err := newShared(want.Resources[0])
	if err != nil {
		t.Fatal(err)
	}
	f := &frame{shared: s, nonce: "12"}
	for name, c := range map[string]encoding.CodecV2{"ours": codec{}, "gRPC's own": encoding.GetCodecV2("proto")} {
		wire, err := c.Marshal(f)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := &discoveryv3.DeltaDiscoveryResponse{}
		if err := (codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire.Materialize())}, got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !proto.Equal(got, want) {
			t.Errorf("%s sends %v, want %v", name, got, want)
		}
	}
	wire, err := codec{}.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if &wire[0].ReadOnlyData()[0] != &s.bytes[0] {
		t.Error("the shared bytes were copied")
	}
	request := &discoveryv3.DeltaDiscoveryRequest{ResponseNonce: "12"}
	if wire, err = (codec{}).Marshal(request); err != nil {
		t.Fatal(err)
	}
	got := &discoveryv3.DeltaDiscoveryRequest{}
	if err := (codec{}).Unmarshal(wire, got); err != nil || !proto.Equal(got, request) {
		t.Errorf("another message came back as %v, error %v", got, err)
	}
}

func TestAnEpochNeverComesAgainForAProxyAndIsSharedByOthers(t *testing.T) {
	e := newEpochs(time.Unix(1, 0))
	first := e.next("a", "a")
	if other := e.next("a", "b"); other != first {
		t.Errorf("two proxies that connect for the first time have epochs %s and %s, want one", first, other)
	}
	if again := e.next("a", "a"); again == first {
		t.Errorf("epoch %s twice for one proxy", again)
	}
	if restarted := newEpochs(time.Unix(1, 0)).next("a", "a"); restarted == first {
		t.Errorf("epoch %s in two processes", restarted)
	}
	seen := map[string]bool{first: true}
	for i := range 3 * maxCounts { // proxies come and go; the memory of them is bounded
		e.next("a", string(rune(i))+"x")
		if i%(maxCounts/2) == 0 {
			again := e.next("a", "a")
			if seen[again] {
				t.Errorf("epoch %s twice for one proxy", again)
			}
			seen[again] = true
		}
	}
	if len(e.counts) > maxCounts {
		t.Errorf("%d proxies remembered, want %d at most", len(e.counts), maxCounts)
	}
}

func TestTheStreamsOfOneProxyNeverHaveOneEpoch(t *testing.T) {
	n := &corev3.Node{Id: "p"}
	clusters := &discoveryv3.DeltaDiscoveryRequest{Node: n, TypeUrl: TypeCluster}
	slots := &discoveryv3.DeltaDiscoveryRequest{Node: n, TypeUrl: TypeExtensionConfig, ResourceNamesSubscribe: []string{"s"}}
	e := newEpochs(time.Unix(1, 0))
	seen := map[string]bool{}
	for _, x := range []struct {
		kind  string
		first *discoveryv3.DeltaDiscoveryRequest
	}{{"a", clusters}, {"a", slots}, {"e", slots}, {"e", slots}} {
		epoch := e.next(x.kind, streamKey(x.first, x.kind))
		if seen[epoch] {
			t.Errorf("epoch %s comes twice", epoch)
		}
		seen[epoch] = true
	}
}
