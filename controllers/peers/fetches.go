package peers

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// FetchesPath is where Handler is told of fetches.
const FetchesPath = "/peers/v1/fetches"

const (
	// maxFetches is how many fetches may wait to be told, and how many are told at once.
	maxFetches = 4096
	// maxFetchesBytes bounds what a peer says at once.
	maxFetchesBytes = 4 << 20
	fetchesTimeout  = 2 * time.Second
)

// Fetch is a proxy's fetch of a module that ended at this replica, while another one pushes to that proxy: behind a Service
// they are chosen one by one. Who pushes has to know, because a refusal counts as the module's own only after a fetch.
type Fetch struct {
	// Digest is the module's, as 64 hexadecimal digits.
	Digest string `json:"digest"`
	// Proxy is the stream's name, as it stood in the module's address.
	Proxy string `json:"proxy"`
	// Complete tells that all bytes went out.
	Complete bool `json:"complete"`
}

// Fetches tells all other replicas of fetches. Make it with NewFetches.
type Fetches struct {
	peers  func() []string
	scheme string
	client *http.Client
	log    *slog.Logger
	wait   chan Fetch
}

// NewFetches takes the addresses of the replicas, as Options.Peers, and the client side of pki's Peer; nil means plain text.
func NewFetches(peers func() []string, config *tls.Config, log *slog.Logger) *Fetches {
	f := &Fetches{peers: peers, scheme: "http", log: log, wait: make(chan Fetch, maxFetches)}
	if config != nil {
		f.scheme = "https"
	}
	f.client = &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableCompression: true}, Timeout: fetchesTimeout}
	return f
}

// maxName is longer than any stream's name; what is longer somebody made up.
const maxName = 64

// Tell never waits. What cannot be told is lost: the proxy's stream tries again, and its fetch is told anew. A fetch that names
// no stream is nobody's to know.
func (f *Fetches) Tell(fetch Fetch) {
	if fetch.Proxy == "" || len(fetch.Proxy) > maxName {
		return
	}
	select {
	case f.wait <- fetch:
	default:
	}
}

// Run tells until ctx ends.
func (f *Fetches) Run(ctx context.Context) {
	defer f.client.CloseIdleConnections()
	for {
		var batch []Fetch
		select {
		case <-ctx.Done():
			return
		case first := <-f.wait:
			batch = append(batch, first)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(gather):
		}
		for more := true; more && len(batch) < maxFetches; {
			select {
			case next := <-f.wait:
				batch = append(batch, next)
			default:
				more = false
			}
		}
		go f.send(ctx, batch) // a peer that does not answer holds nothing up; it ends with its time limit
	}
}

// gather is how long a fetch waits for others, so that a fleet's are few requests.
const gather = 5 * time.Millisecond

func (f *Fetches) send(ctx context.Context, batch []Fetch) {
	body, err := json.Marshal(batch)
	if err != nil {
		return // texts and a truth value: there is no such error
	}
	var all sync.WaitGroup
	for _, address := range f.peers() {
		all.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.scheme+"://"+address+FetchesPath, bytes.NewReader(body))
			if err != nil {
				f.log.Warn("peer address is none", "peer", address, "error", err)
				return
			}
			resp, err := f.client.Do(req)
			if err != nil {
				f.log.Debug("a peer was not told of fetches", "peer", address, "error", err)
				return
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusNoContent {
				f.log.Warn("a peer did not take in what it was told of fetches", "peer", address, "status", resp.Status)
			}
		})
	}
	all.Wait()
}

// takeFetches is the other end.
func takeFetches(fetched func(Fetch)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var batch []Fetch
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxFetchesBytes)).Decode(&batch); err != nil {
			http.Error(w, "a list of fetches is expected: "+err.Error(), http.StatusBadRequest)
			return
		}
		for _, f := range batch {
			fetched(f)
		}
		w.WriteHeader(http.StatusNoContent)
	}
}
