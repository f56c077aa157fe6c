// Package dataplane builds the xDS resources of managed proxies besides the slots' content: listeners, routes, clusters,
// endpoints and secrets. Plugins appear here as empty slots only, so no change of a plugin ever changes a listener.
//
// It is pure: no network, no clock; the same input gives the same bytes.
package dataplane

import (
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// The types of resources that this package builds.
const (
	TypeListener = "type.googleapis.com/envoy.config.listener.v3.Listener"
	TypeRoute    = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	TypeCluster  = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	TypeEndpoint = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	TypeSecret   = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
)

// Resource is one xDS resource.
type Resource struct {
	TypeURL string
	Name    string
	Message proto.Message
}

// Any is the resource as it goes over the wire, in deterministic bytes. It fails if a string of the message is not UTF-8.
func (r Resource) Any() (*anypb.Any, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.Message)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.TypeURL, r.Name, err)
	}
	return &anypb.Any{TypeUrl: r.TypeURL, Value: b}, nil
}

// Sort orders resources by type and name and drops doubles: two units may need the same cluster.
func Sort(list []Resource) []Resource {
	slices.SortStableFunc(list, func(a, b Resource) int {
		return cmp.Or(cmp.Compare(a.TypeURL, b.TypeURL), cmp.Compare(a.Name, b.Name))
	})
	return slices.CompactFunc(list, func(a, b Resource) bool { return a.TypeURL == b.TypeURL && a.Name == b.Name })
}

// wrap puts a message into an Any. What is wrapped holds no strings from users but names, which are escaped, so it always
// marshals.
func wrap(m proto.Message) *anypb.Any {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("dataplane: marshal %s: %v", m.ProtoReflect().Descriptor().FullName(), err))
	}
	return &anypb.Any{TypeUrl: "type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName()), Value: b}
}
