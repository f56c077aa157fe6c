package peers

import (
	"reflect"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/acks"
)

// sent is what a stream has told, by gateway and number.
type sent map[types.NamespacedName]map[uint64]acks.Proxy

// all is the first line.
func (s sent) all(r *acks.Registry, replica string) *line {
	out := &line{Version: version, Replica: replica, Proxies: r.All()}
	for _, p := range out.Proxies {
		s.put(p)
	}
	return out
}

// changed is what is new at some gateways since they were told last.
func (s sent) changed(r *acks.Registry, gateways map[types.NamespacedName]struct{}) *line {
	out := &line{}
	for g := range gateways {
		now := r.Proxies(g)
		there := make(map[uint64]struct{}, len(now))
		for _, p := range now {
			there[p.Number] = struct{}{}
			if old, ok := s[g][p.Number]; !ok || !reflect.DeepEqual(old, p) {
				out.Proxies = append(out.Proxies, p)
				s.put(p)
			}
		}
		for n := range s[g] {
			if _, ok := there[n]; !ok {
				out.Gone = append(out.Gone, n)
				delete(s[g], n)
			}
		}
		if len(s[g]) == 0 {
			delete(s, g)
		}
	}
	return out
}

func (s sent) put(p acks.Proxy) {
	if s[p.Gateway] == nil {
		s[p.Gateway] = map[uint64]acks.Proxy{}
	}
	s[p.Gateway][p.Number] = p
}
