package fakeproxy

import (
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// response is what a proxy reads of a DeltaDiscoveryResponse (envoy/service/discovery/v3/discovery.proto).
type response struct {
	typeURL, nonce string
	resources      []Resource
	removed        []string
	size           int // of the whole message, in bytes
}

// answer is a DeltaDiscoveryRequest that acknowledges or refuses.
type answer struct{ typeURL, nonce, nack string }

// codec reads responses and writes answers by hand: two thousand proxies shall cost less than what they measure.
type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *answer:
		return mem.BufferSlice{mem.SliceBuffer(m.marshal())}, nil
	case proto.Message:
		b, err := proto.Marshal(m)
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	default:
		return nil, fmt.Errorf("fakeproxy: cannot send a %T", v)
	}
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	r, ok := v.(*response)
	if !ok {
		return fmt.Errorf("fakeproxy: cannot receive a %T", v)
	}
	r.size = data.Len()
	return fields(data.Materialize(), func(n protowire.Number, b []byte) error {
		switch n {
		case 2:
			var x Resource
			if err := x.unmarshal(b); err != nil {
				return err
			}
			r.resources = append(r.resources, x)
		case 4:
			r.typeURL = string(b)
		case 5:
			r.nonce = string(b)
		case 6:
			r.removed = append(r.removed, string(b))
		}
		return nil
	})
}

// unmarshal reads an envoy.service.discovery.v3.Resource.
func (x *Resource) unmarshal(b []byte) error {
	return fields(b, func(n protowire.Number, b []byte) error {
		switch n {
		case 1:
			x.Version = string(b)
		case 2: // google.protobuf.Any
			return fields(b, func(n protowire.Number, b []byte) error {
				if n == 2 {
					x.Body = b
				}
				return nil
			})
		case 3:
			x.Name = string(b)
		}
		return nil
	})
}

// fields calls f with every field that is a string, bytes or a message.
func fields(b []byte, f func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
				return protowire.ParseError(n)
			}
			b = b[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := f(number, value); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// internalError is the code with which Envoy refuses (google.rpc.Code INTERNAL).
const internalError = 13

func (a *answer) marshal() []byte {
	b := make([]byte, 0, len(a.typeURL)+len(a.nonce)+len(a.nack)+16)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	b = protowire.AppendString(b, a.typeURL)
	b = protowire.AppendTag(b, 6, protowire.BytesType)
	b = protowire.AppendString(b, a.nonce)
	if a.nack == "" {
		return b
	}
	status := protowire.AppendTag(nil, 1, protowire.VarintType)
	status = protowire.AppendVarint(status, internalError)
	status = protowire.AppendTag(status, 2, protowire.BytesType)
	status = protowire.AppendString(status, a.nack)
	b = protowire.AppendTag(b, 7, protowire.BytesType)
	return protowire.AppendBytes(b, status)
}
