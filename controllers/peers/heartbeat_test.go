package peers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wasmpoint/wasmpoint/xds/acks"
)

// reader notes when lines come.
type reader struct {
	http.ResponseWriter
	at []time.Time
}

func (r *reader) Write(b []byte) (int, error) {
	r.at = append(r.at, time.Now())
	return len(b), nil
}

func (r *reader) Flush() {}

func (r *reader) SetWriteDeadline(time.Time) error { return nil }

func TestChangesThatLeaveNothingToTellPutNoHeartbeatOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changes := &Changes{}
		registry := acks.NewRegistry(acks.Events{})
		out := &reader{ResponseWriter: httptest.NewRecorder()}
		ctx, cancel := context.WithCancel(t.Context())
		begin, done := time.Now(), make(chan struct{})
		go func() {
			defer close(done)
			Handler(registry, "b", changes, nil).ServeHTTP(out, httptest.NewRequestWithContext(ctx, http.MethodGet, Path, nil))
		}()
		for time.Since(begin) < Silence {
			time.Sleep(time.Second)
			changes.Notify(acks.Change{Gateway: gw})
		}
		cancel()
		<-done
		// The first state, and then a heartbeat every 5 s, or a little later if a change was just being gathered.
		for i, at := range out.at {
			if late := at.Sub(begin) - time.Duration(i)*Heartbeat; late < 0 || late > time.Duration(i)*Coalesce {
				t.Errorf("line %d came after %s, want every %s", i, at.Sub(begin), Heartbeat)
			}
		}
		if len(out.at) < 3 {
			t.Errorf("%d lines in %s, want the state and a heartbeat every %s", len(out.at), Silence, Heartbeat)
		}
	})
}
