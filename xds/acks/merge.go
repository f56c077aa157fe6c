package acks

import "maps"

// Merge makes one proxy of the parts of each that have an ID in common; whole ones stay as they are. The list is sorted by ID,
// and so is the result. Nothing of the list is changed.
func Merge(list []Proxy) []Proxy {
	var out []Proxy
	for _, p := range list {
		at := len(out) - 1
		if at < 0 || !p.Part || !out[at].Part || out[at].ID != p.ID {
			out = append(out, p)
			continue
		}
		into := &out[at]
		into.Slots, into.Refused = union(into.Slots, p.Slots), union(into.Refused, p.Refused)
		if p.Connected.Before(into.Connected) {
			into.Connected = p.Connected
		}
		if r := p.LastRefusal; r != nil && (into.LastRefusal == nil || r.At.After(into.LastRefusal.At)) {
			into.LastRefusal = r
		}
	}
	return out
}

func union[V any](a, b map[string]V) map[string]V {
	out := make(map[string]V, len(a)+len(b))
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}
