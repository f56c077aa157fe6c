package fakeproxy

import "maps"

// Held are the versions of the resources that a proxy acknowledged. A proxy that connects again tells them, and a server then
// sends what is newer and nothing else (initial_resource_versions of delta ADS).
type Held map[heldKey]string

type heldKey struct {
	typeURL, name string
	lane          bool
}

// of gives the versions of one type on one of the streams.
func (h Held) of(typeURL string, lane bool) map[string]string {
	out := map[string]string{}
	for k, version := range h {
		if k.typeURL == typeURL && k.lane == lane {
			out[k.name] = version
		}
	}
	return out
}

// Lane is the version of a prefetch slot, "" if the proxy has none.
func (h Held) Lane(slot string) string { return h[heldKey{TypeExtensionConfig, slot, true}] }

// Received is what came over both streams.
type Received struct {
	// Messages are the responses, and Bytes their size.
	Messages, Bytes int64
	// ResourceBytes is the size of the resources in them.
	ResourceBytes int64
}

// Received tells what the proxy was sent since it started.
func (p *Proxy) Received() Received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.received
}

// Held tells what the proxy has.
func (p *Proxy) Held() Held {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.held)
}

// took counts a response, and holds what it brought if it is acknowledged.
func (p *Proxy) took(r *response, lane, acknowledged bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.received.Messages++
	p.received.Bytes += int64(r.size)
	for i := range r.resources {
		p.received.ResourceBytes += int64(len(r.resources[i].Body))
	}
	if !acknowledged {
		return
	}
	for i := range r.resources {
		p.held[heldKey{r.typeURL, r.resources[i].Name, lane}] = r.resources[i].Version
	}
	for _, name := range r.removed {
		delete(p.held, heldKey{r.typeURL, name, lane})
	}
}
