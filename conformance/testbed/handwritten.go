package testbed

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"strconv"

	"sigs.k8s.io/yaml"
)

// HandWritten is a bootstrap as somebody would write it who pasted in what `wasmpoint bootstrap --external` printed.
type HandWritten struct {
	// ID is the node's.
	ID string
	// Printed is what was printed.
	Printed []byte
	// Admin is where the admin endpoint listens, as HOST:PORT; Listen where the listener of a place does, by the place that is
	// printed ("inbound 8080"). Places without an address get no listener.
	Admin  string
	Listen map[string]string
	// Backend is where every request goes, "" for an answer 200 from the proxy itself.
	Backend string
}

type fields = map[string]any

// JSON is the bootstrap.
func (h HandWritten) JSON() ([]byte, error) {
	var pieces struct {
		Clusters, Listeners []any
		ADS                 any `json:"ads_config"`
		Slots               []struct {
			Place   string
			HTTP    []any `json:"http_filters"`
			Network []any `json:"filters"`
		}
	}
	if err := yaml.UnmarshalStrict(h.Printed, &pieces); err != nil {
		return nil, fmt.Errorf("%w in\n%s", err, h.Printed)
	}
	admin, err := socket(h.Admin)
	if err != nil {
		return nil, err
	}
	clusters, listeners := pieces.Clusters, pieces.Listeners
	route := fields{"match": fields{"prefix": "/"}, "direct_response": fields{"status": 200}}
	if h.Backend != "" {
		backend, err := socket(h.Backend)
		if err != nil {
			return nil, err
		}
		route = fields{"match": fields{"prefix": "/"}, "route": fields{"cluster": "backend"}}
		clusters = append(clusters, fields{"name": "backend", "load_assignment": fields{"cluster_name": "backend", "endpoints": []any{
			fields{"lb_endpoints": []any{fields{"endpoint": fields{"address": backend}}}},
		}}})
	}
	for _, s := range pieces.Slots {
		if h.Listen[s.Place] == "" {
			continue
		}
		address, err := socket(h.Listen[s.Place])
		if err != nil {
			return nil, err
		}
		manager := filter("envoy.filters.network.http_connection_manager", "network.http_connection_manager.v3.HttpConnectionManager", fields{
			"stat_prefix": s.Place, "http_filters": append(s.HTTP, filter("envoy.filters.http.router", "http.router.v3.Router", nil)),
			"route_config": fields{"virtual_hosts": []any{fields{"name": "all", "domains": []any{"*"}, "routes": []any{route}}}},
		})
		listeners = append(listeners, fields{
			"name": s.Place, "address": address, "filter_chains": []any{fields{"filters": append(s.Network, manager)}},
		})
	}
	config := fields{
		"node": fields{"id": h.ID, "cluster": "mine"}, "admin": fields{"address": admin},
		"static_resources": fields{"clusters": clusters, "listeners": listeners},
	}
	if pieces.ADS != nil {
		config["dynamic_resources"] = fields{"ads_config": pieces.ADS}
	}
	return json.Marshal(config)
}

func filter(name, kind string, more fields) fields {
	config := fields{"@type": "type.googleapis.com/envoy.extensions.filters." + kind}
	maps.Copy(config, more)
	return fields{"name": name, "typed_config": config}
}

func socket(address string) (fields, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	return fields{"socket_address": fields{"address": host, "port_value": number}}, err
}
