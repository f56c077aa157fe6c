package modules

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wasmpoint/wasmpoint/modules/fetch"
	"github.com/wasmpoint/wasmpoint/modules/inspect"
	"github.com/wasmpoint/wasmpoint/modules/store"
	"github.com/wasmpoint/wasmpoint/modules/unpack"
)

// maxRejected bounds the memory of manifests that hold no usable module.
const maxRejected = 1024

// attempt asks the source once. Errors are of type *fetch.Error.
func (m *Manager) attempt(ctx context.Context, id identity) (resolution, error) {
	release, err := m.enter(ctx, id.req.Location.Host())
	if err != nil {
		return resolution{}, &fetch.Error{Msg: id.req.Location.Shown + ": too many other fetches from this host are under way; the next try comes"}
	}
	defer release()
	art, err := m.fetcher.Open(ctx, id.req)
	if err != nil {
		return resolution{}, err
	}
	// A signature check goes here: art.Resolved is known, nothing is downloaded.
	if art.ID == "" {
		return m.download(ctx, art, id.sha)
	}
	res, err := m.shared(ctx, art)
	if err != nil {
		return resolution{}, err
	}
	res.Resolved, res.At = art.Resolved, m.clock.Now()
	return res, compare(id.sha, res.Digest, art)
}

// shared downloads an artifact unless it was before, and once for all who want it at the same time. Who waits for another's
// download and sees it fail tries it with its own credentials.
func (m *Manager) shared(ctx context.Context, art *fetch.Artifact) (resolution, error) {
	for {
		m.mu.Lock()
		if res, ok := m.index.Artifacts[art.ID]; ok && m.Has(res.Digest) {
			m.mu.Unlock()
			return res, nil
		}
		if err := m.rejected[art.ID]; err != nil {
			m.mu.Unlock()
			return resolution{}, err
		}
		flight := m.flights[art.ID]
		if flight == nil {
			done := make(chan struct{})
			m.flights[art.ID] = done
			m.mu.Unlock()
			res, err := m.download(ctx, art, "")
			m.landed(art.ID, res, err)
			close(done)
			return res, err
		}
		m.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			return resolution{}, &fetch.Error{Msg: art.Name + ": the fetch took too long and was given up"}
		}
	}
}

// landed remembers a download's end.
func (m *Manager) landed(id string, res resolution, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.flights, id)
	var e *fetch.Error
	switch {
	case err == nil:
		m.index.Artifacts[id] = res
		m.saveSoon()
	case errors.As(err, &e) && e.Kind == fetch.Invalid:
		// The manifest digest fixes the content, so it need not be downloaded again to be refused again.
		if len(m.rejected) >= maxRejected {
			clear(m.rejected)
		}
		m.rejected[id] = e
	}
}

// download loads, inspects and stores. Nothing enters the store that did not pass.
func (m *Manager) download(ctx context.Context, art *fetch.Artifact, sha string) (resolution, error) {
	scan := unpack.New(m.fetcher.Limits(), func() (unpack.Temp, error) {
		w, err := m.store.Create()
		if err != nil {
			return nil, err
		}
		return w, nil
	})
	defer scan.Close()
	if err := art.Load(ctx, scan); err != nil {
		return resolution{}, err
	}
	temp, err := scan.Result()
	if err != nil {
		return resolution{}, &fetch.Error{Kind: fetch.Invalid, Msg: fmt.Sprintf("%s: %v", art.Name, err)}
	}
	defer temp.Discard()
	w := temp.(*store.Writer)
	if err := compare(sha, w.Digest(), art); err != nil {
		return resolution{}, err
	}
	info, err := inspect.Plugin(w.Reader())
	if err != nil {
		e := &fetch.Error{Kind: fetch.Unavailable, Msg: fmt.Sprintf("%s: %v", art.Name, err)}
		var bad *inspect.Error
		if errors.As(err, &bad) {
			e.Kind = fetch.Invalid
		}
		return resolution{}, e
	}
	digest, err := w.Commit()
	if err != nil {
		return resolution{}, &fetch.Error{Kind: fetch.Unavailable, Msg: err.Error()}
	}
	return resolution{Digest: digest, Size: info.Size, ABI: info.ABI, Resolved: art.Resolved, At: m.clock.Now()}, nil
}

// compare checks the plugin's sha256 against every digest that it may name.
func compare(sha, module string, art *fetch.Artifact) error {
	if sha == "" || sha == module || slices.Contains(art.Digests, sha) {
		return nil
	}
	have := "the module is " + module
	switch {
	case art.Resolved != "" && len(art.Digests) > 1:
		have += fmt.Sprintf(", its manifest %s, its index %s", art.Digests[len(art.Digests)-1], art.Digests[0])
	case art.Resolved != "":
		have += ", its manifest " + art.Digests[0]
	case len(art.Digests) == 1 && art.Digests[0] != module:
		have += ", the file as served " + art.Digests[0]
	}
	return &fetch.Error{Kind: fetch.Mismatch, Msg: fmt.Sprintf("%s: sha256 is %s, but %s; correct the url, or set sha256 to one of these if it is the module you want", art.Name, sha, have)}
}

// enter waits for one of the places at a host, so that a slow one holds up nobody but itself.
func (m *Manager) enter(ctx context.Context, host string) (release func(), err error) {
	m.mu.Lock()
	places := m.hosts[host]
	if places == nil {
		places = make(chan struct{}, m.o.PerHost)
		m.hosts[host] = places
	}
	m.mu.Unlock()
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
