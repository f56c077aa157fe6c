package server

import (
	"fmt"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// GRPCOptions are the options with which a gRPC server brings a change to many proxies for little: responses that are equal
// for many are marshalled once, a connection holds no large buffers of its own, and one without a stream is closed. They include keepalive, and the limits of what one client may take. A server without them works as well.
func GRPCOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{}),
		grpc.MaxRecvMsgSize(maxRequest), grpc.MaxConcurrentStreams(maxStreams),
		// With TLS each connection has a read buffer of its own. Proxies send small messages; a large one is read in pieces.
		grpc.ReadBufferSize(readBuffer),
		// A window of fixed size: else gRPC answers every acknowledgement with a ping that measures the line.
		grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: 30 * time.Second, Timeout: 10 * time.Second, // a proxy whose machine is gone
			// A proxy that was refused (SetServing) tries again over the same connection as long as it stands.
			MaxConnectionIdle: idleConnection,
		}),
	}
}

const (
	// maxRequest is the size of a request that a proxy may send. A proxy that comes back names all that it has at once, and each
	// name twice: some 350 bytes a slot. A waypoint of 2,000 Services with three ports each has 24,000 slots, so 9 MB.
	maxRequest = 32 << 20
	// maxStreams is how many streams a connection may have. A proxy has two, or two for each slot if its slots do not come over
	// ADS. Envoy would open another connection for more, maybe to another replica, which would not know the slot of a lane.
	maxStreams = 4096
	readBuffer = 4 << 10
	window     = 1 << 20
	// idleConnection is how long a connection without a stream stays open.
	idleConnection = 2 * time.Second
)

// shared is a response with one resource, marshalled but for its nonce.
type shared struct {
	resource *discoveryv3.Resource
	// bytes are the fields resources and type_url; wire is the same for gRPC.
	bytes []byte
	wire  mem.Buffer
}

func newShared(resource *discoveryv3.Resource) (*shared, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(&discoveryv3.DeltaDiscoveryResponse{
		TypeUrl: TypeExtensionConfig, Resources: []*discoveryv3.Resource{resource},
	})
	if err != nil {
		return nil, fmt.Errorf("marshal slot %s: %w", resource.Name, err)
	}
	return &shared{resource: resource, bytes: b, wire: mem.SliceBuffer(b)}, nil
}

// frame is a shared response for one proxy. It is a proto.Message for codecs that do not know it.
type frame struct {
	*shared
	nonce string
}

// nonceField is the number of DeltaDiscoveryResponse.nonce. Fields of a message may come in any order.
const nonceField = 5

// buffers are the message in pieces, of which only the last is this proxy's.
func (f *frame) buffers() mem.BufferSlice {
	tail := make([]byte, 0, 2+len(f.nonce)+1)
	tail = protowire.AppendTag(tail, nonceField, protowire.BytesType)
	return mem.BufferSlice{f.wire, mem.SliceBuffer(protowire.AppendString(tail, f.nonce))}
}

// ProtoReflect makes the message whole (proto.Message).
func (f *frame) ProtoReflect() protoreflect.Message {
	return (&discoveryv3.DeltaDiscoveryResponse{
		TypeUrl: TypeExtensionConfig, Resources: []*discoveryv3.Resource{f.resource}, Nonce: f.nonce,
	}).ProtoReflect()
}

// codec sends frames without copying them, and leaves everything else to the codec that is registered for protobuf.
type codec struct{}

func (codec) Name() string { return protocodec.Name }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*frame); ok {
		return f.buffers(), nil
	}
	return encoding.GetCodecV2(protocodec.Name).Marshal(v)
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	return encoding.GetCodecV2(protocodec.Name).Unmarshal(data, v)
}
