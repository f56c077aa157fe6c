package bootstrap

import (
	"fmt"
	"regexp"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	commonfaultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/fault/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wasmpoint/wasmpoint/xds/names"
)

// Drain is how a proxy ends. The kubelet asks for its path before it ends the container (preStop), and gets its answer when the
// time is over. From the request on every answer of the proxy says that its connection ends (connection: close, GOAWAY), and new
// ones are taken nevertheless, because it takes a while until nobody opens any.
//
// The image has no shell, and Envoy's admin endpoint, which drains, takes POST alone and is on loopback; the kubelet's hook is a
// GET to the Pod. So a filter of the static listener turns one into the other.
type Drain struct {
	// Secret ends the path: whoever can reach the Pod could otherwise end the proxy.
	Secret string
	// For is how long the answer takes. Envoy closes its listeners after --drain-time-s, which should be as long.
	For time.Duration
}

var drainSecret = regexp.MustCompile(`^[A-Za-z0-9_-]{16,}$`)

// Path is what the kubelet asks for.
func (d *Drain) Path() string { return "/drain/" + d.Secret }

// resources are a route, and the filters that act on it alone.
func (d *Drain) resources() (*routev3.Route, []*hcmv3.HttpFilter, error) {
	if !drainSecret.MatchString(d.Secret) {
		return nil, nil, fmt.Errorf("bootstrap: Drain.Secret has %d characters: use 16 or more letters, digits, - and _", len(d.Secret))
	}
	if d.For <= 0 {
		return nil, nil, fmt.Errorf("bootstrap: Drain.For %s: must be more than 0s", d.For)
	}
	script := fmt.Sprintf(`function envoy_on_request(handle)
  handle:httpCall(%q, {[":method"] = "POST", [":path"] = "/drain_listeners?graceful&skip_exit", [":authority"] = "admin"}, "", 2000)
end
`, names.AdminCluster)
	lua, err := httpFilter(luaFilter, &luav3.Lua{SourceCodes: map[string]*corev3.DataSource{
		drainScript: {Specifier: &corev3.DataSource_InlineString{InlineString: script}},
	}})
	if err != nil {
		return nil, nil, err
	}
	fault, err := httpFilter(faultFilter, &faultv3.HTTPFault{})
	if err != nil {
		return nil, nil, err
	}
	here := map[string]*anypb.Any{}
	for filter, config := range map[string]proto.Message{
		luaFilter: &luav3.LuaPerRoute{Override: &luav3.LuaPerRoute_Name{Name: drainScript}},
		faultFilter: &faultv3.HTTPFault{Delay: &commonfaultv3.FaultDelay{
			FaultDelaySecifier: &commonfaultv3.FaultDelay_FixedDelay{FixedDelay: durationpb.New(d.For)},
			Percentage:         &typev3.FractionalPercent{Numerator: 100},
		}},
	} {
		if here[filter], err = anypb.New(config); err != nil {
			return nil, nil, fmt.Errorf("bootstrap: %w", err)
		}
	}
	return &routev3.Route{
		Match:                &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: d.Path()}},
		Action:               &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 200}},
		TypedPerFilterConfig: here,
	}, []*hcmv3.HttpFilter{lua, fault}, nil
}

const (
	luaFilter   = "envoy.filters.http.lua"
	faultFilter = "envoy.filters.http.fault"
	drainScript = "drain"
)
