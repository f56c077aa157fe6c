package fakeproxy

import (
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestTheCodecReadsAndWritesWhatTheProtocolSays(t *testing.T) {
	b, err := proto.Marshal(&discoveryv3.DeltaDiscoveryResponse{
		SystemVersionInfo: "s", TypeUrl: TypeExtensionConfig, Nonce: "7", RemovedResources: []string{"gone"},
		Resources: []*discoveryv3.Resource{{Name: "n", Version: "v", Aliases: []string{"a"}, Resource: &anypb.Any{TypeUrl: "t", Value: []byte("body")}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var r response
	if err := (codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.resources) != 1 || r.typeURL != TypeExtensionConfig || r.nonce != "7" {
		t.Fatalf("read %+v", r)
	}
	if x := r.resources[0]; x.Name != "n" || x.Version != "v" || string(x.Body) != "body" {
		t.Errorf("read resource %+v", x)
	}
	if err := (codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(b[:len(b)-3])}, &r); err == nil {
		t.Error("a response that is cut off was read without an error")
	}
	for _, nack := range []string{"", "refused"} {
		out, err := (codec{}).Marshal(&answer{typeURL: TypeExtensionConfig, nonce: "7", nack: nack})
		if err != nil {
			t.Fatal(err)
		}
		var got discoveryv3.DeltaDiscoveryRequest
		if err := proto.Unmarshal(out.Materialize(), &got); err != nil {
			t.Fatal(err)
		}
		if got.TypeUrl != TypeExtensionConfig || got.ResponseNonce != "7" || got.ErrorDetail.GetMessage() != nack || (got.ErrorDetail != nil) != (nack != "") {
			t.Errorf("wrote %v, refusal %q", &got, nack)
		}
	}
}
