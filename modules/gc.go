package modules

import (
	"maps"
	"time"
)

// Pin replaces the set of modules that are in use besides those of the owners' states: for instance last good ones of
// running proxies. Modules in use are never deleted. Nothing at all is deleted before the first call.
func (m *Manager) Pin(digests []string) {
	set := make(map[string]bool, len(digests))
	for _, d := range digests {
		set[d] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pinned = set
}

// collectAgain collects and plans the next collection.
func (m *Manager) collectAgain() {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	m.wg.Add(1)
	m.stopGC = m.clock.AfterFunc(m.o.GCInterval, m.collectAgain)
	m.mu.Unlock()
	defer m.wg.Done()
	m.collect()
}

// collect deletes the modules that nobody has used for the grace period. The period is counted in this process: after a
// restart it begins anew.
func (m *Manager) collect() {
	var victims []string
	m.mu.Lock()
	if m.pinned == nil {
		m.mu.Unlock()
		return
	}
	used := make(map[string]bool, len(m.pinned)+len(m.owners))
	for d := range m.pinned {
		used[d] = true
	}
	for _, o := range m.owners {
		if o.res != nil {
			used[o.res.Digest] = true
		}
	}
	now := m.clock.Now()
	m.forgetOld(now)
	for _, d := range m.store.Digests() {
		since, known := m.unused[d]
		switch {
		case used[d]:
			delete(m.unused, d)
		case !known:
			m.unused[d] = now
		case now.Sub(since) >= m.o.GCGrace:
			// Unknown from here on, still under the lock: who wants it now fetches it anew.
			delete(m.unused, d)
			m.store.Drop(d)
			m.index.forget(d)
			victims = append(victims, d)
		}
	}
	m.mu.Unlock()
	for _, d := range victims {
		if err := m.store.Remove(d); err != nil {
			m.log.Warn("an unused module cannot be deleted", "digest", d, "err", err)
			continue
		}
		m.log.Info("unused module deleted", "digest", d)
	}
}

// forgetOld drops what the index knows about sources and owners that nobody has asked for since the grace period, so that
// it does not grow with every rotated pull secret. The caller holds the lock.
func (m *Manager) forgetOld(now time.Time) {
	keys := make(map[string]bool, len(m.owners))
	for _, o := range m.owners {
		keys[o.id.key] = true
	}
	old := func(r resolution) bool { return now.Sub(r.At) >= m.o.GCGrace }
	maps.DeleteFunc(m.index.Sources, func(key string, r resolution) bool { return !keys[key] && old(r) })
	maps.DeleteFunc(m.index.Owners, func(name string, p proof) bool { return m.owners[name] == nil && old(p.resolution) })
	m.saveSoon()
}
