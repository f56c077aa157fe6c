package bootstrap

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	headerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	upstreamcodecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	filecontentv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/formatter/file_content/v3"
	upstreamsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// TokenAudience is the audience that a proxy's token must have. A token for the API server is no good to the controller, and the
// other way round: neither can use what it was shown at the other.
const TokenAudience = "wasmpoint.dev/xds"

// sendToken has the xDS cluster put the token into every stream.
//
// The formatter follows the folder and not the file: the kubelet puts a new folder in its place by renaming a link, and the
// file itself never changes.
func sendToken(xds *clusterv3.Cluster, file string) error {
	if !filepath.IsAbs(file) || strings.ContainsAny(file, ":%()") {
		return fmt.Errorf("bootstrap: TokenFile %q must be an absolute path without the characters : %% ( )", file)
	}
	if to := xds.LoadAssignment.Endpoints[0].LbEndpoints[0].GetEndpoint().Address; xds.TransportSocket == nil && !isHere(to) {
		return fmt.Errorf("bootstrap: TokenFile %q: the token would go to XDS %s in plain text, for everybody on the way to read; set TLS (--ca FILE)",
			file, to.GetSocketAddress().GetAddress())
	}
	content, err := anypb.New(&filecontentv3.FileContent{})
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	header, err := httpFilter("envoy.filters.http.header_mutation", &headerv3.HeaderMutation{
		Mutations: &headerv3.Mutations{RequestMutations: []*mutationv3.HeaderMutation{{
			Action: &mutationv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
				Header:       &corev3.HeaderValue{Key: "authorization", Value: fmt.Sprintf("Bearer %%FILE_CONTENT(%s:%s)%%", file, filepath.Dir(file))},
				AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			}},
		}}, Formatters: []*corev3.TypedExtensionConfig{{Name: "envoy.formatter.file_content", TypedConfig: content}}},
	})
	if err != nil {
		return err
	}
	codec, err := httpFilter("envoy.filters.http.upstream_codec", &upstreamcodecv3.UpstreamCodec{})
	if err != nil {
		return err
	}
	options := &upstreamsv3.HttpProtocolOptions{}
	if err := xds.TypedExtensionProtocolOptions[httpOptions].UnmarshalTo(options); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	options.HttpFilters = []*hcmv3.HttpFilter{header, codec}
	return setOptions(xds, options)
}

// isHere tells whether an address is on this machine.
func isHere(a *corev3.Address) bool {
	host := a.GetSocketAddress().GetAddress()
	ip := net.ParseIP(host)
	return a.GetPipe() != nil || host == "localhost" || ip != nil && ip.IsLoopback()
}

func httpFilter(name string, m proto.Message) (*hcmv3.HttpFilter, error) {
	config, err := anypb.New(m)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: config}}, nil
}
