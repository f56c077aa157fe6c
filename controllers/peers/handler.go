package peers

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/wasmpoint/wasmpoint/xds/acks"
)

// writeTimeout is how long a reader may take to take a line in.
const writeTimeout = 10 * time.Second

// Handler serves the proxies of this replica, whose name must be its own among all replicas, and hands on what other replicas
// tell of fetches. The registry's
// acks.Events.Changed must lead to changes.Notify. A stream lasts until the reader leaves, or the context of the server
// (http.Server.BaseContext) ends; Shutdown alone waits for it.
func Handler(registry *acks.Registry, replica string, changes *Changes, fetched func(Fetch)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+FetchesPath, takeFetches(fetched))
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		sub := changes.subscribe() // before the first state is read: nothing falls between
		defer sub.cancel()
		out := writer{to: http.NewResponseController(w), encode: json.NewEncoder(w)}
		told := sent{}
		if !out.write(told.all(registry, replica)) {
			return
		}
		beat := time.NewTimer(Heartbeat)
		defer beat.Stop()
		for {
			select {
			case <-r.Context().Done():
				return
			case <-beat.C:
				if !out.write(&line{}) {
					return
				}
			case <-sub.wake:
				select {
				case <-r.Context().Done():
					return
				case <-time.After(Coalesce):
				}
				l := told.changed(registry, sub.take())
				if l.empty() { // nothing is written, so the next heartbeat is not put off
					continue
				}
				if !out.write(l) {
					return
				}
			}
			beat.Reset(Heartbeat)
		}
	})
	return mux
}

type writer struct {
	to     *http.ResponseController
	encode *json.Encoder
}

// write sends a line at once; it tells whether the reader is still there.
func (w writer) write(l *line) bool {
	_ = w.to.SetWriteDeadline(time.Now().Add(writeTimeout)) // a server that cannot do this has no reader that stalls us for ever either
	return w.encode.Encode(l) == nil && w.to.Flush() == nil
}
