package dataplane

import (
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
)

// slotsIn gives the names of all slots in the listeners.
func slotsIn(t *testing.T, resources []Resource) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, r := range resources {
		l, ok := r.Message.(*listenerv3.Listener)
		if !ok {
			continue
		}
		for _, chain := range l.FilterChains {
			for _, f := range chain.Filters {
				if f.GetConfigDiscovery() != nil {
					out[f.Name] = true
				}
				if f.Name != managerName {
					continue
				}
				for _, h := range managerOf(t, f).HttpFilters {
					if h.GetConfigDiscovery() != nil {
						out[h.Name] = true
					}
				}
			}
		}
	}
	return out
}

func managerOf(t *testing.T, f *listenerv3.Filter) *hcmv3.HttpConnectionManager {
	t.Helper()
	m := &hcmv3.HttpConnectionManager{}
	if err := proto.Unmarshal(f.GetTypedConfig().Value, m); err != nil {
		t.Fatal(err)
	}
	return m
}
