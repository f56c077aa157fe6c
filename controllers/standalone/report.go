package standalone

import (
	"context"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/admin"
	"github.com/wasmpoint/wasmpoint/controllers/eventlog"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

var _ admin.Source = (*instance)(nil)

// Snapshot is the engine's, with what only we know: the processes.
func (s *instance) Snapshot(ctx context.Context) (status.Snapshot, error) {
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return snap, err
	}
	for i, p := range snap.Proxies {
		namespace, name, _ := strings.Cut(p.Gateway, "/")
		snap.Proxies[i].PID = s.fleet.pid(types.NamespacedName{Namespace: namespace, Name: name})
	}
	return snap, nil
}

// Object is one object with its full status.
func (s *instance) Object(ctx context.Context, kind, namespace, name string) (any, error) {
	o, err := s.engine.Object(ctx, kind, namespace, name)
	if err != nil {
		return nil, err
	}
	if o == nil {
		return nil, admin.ErrNotFound
	}
	return o, nil
}

// Ready is always nil: the endpoint opens when proxies are served.
func (s *instance) Ready(context.Context) error { return nil }

// reportEvery bounds how often the state is compared for the log. Where that takes long, it is done less often.
const reportEvery = 100 * time.Millisecond

// report logs changes of state, one line each.
func (s *instance) report(ctx context.Context, changed <-chan struct{}) {
	var last status.Snapshot
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		begin := time.Now()
		now, err := s.Snapshot(ctx)
		if err != nil {
			return
		}
		for _, line := range eventlog.Diff(last, now) {
			s.log.Log(ctx, line.Level, line.Text)
		}
		last = now
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(reportEvery, 10*time.Since(begin))):
		}
	}
}
