package cluster

import (
	"context"

	"github.com/wasmpoint/wasmpoint/controllers/admin"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

var _ admin.Source = (*replica)(nil)

// Snapshot is what this replica knows; at the leader, with what the others told.
func (r *replica) Snapshot(ctx context.Context) (status.Snapshot, error) {
	return r.engine.Snapshot(ctx)
}

// Object is one object with the status that it should have.
func (r *replica) Object(ctx context.Context, kind, namespace, name string) (any, error) {
	o, err := r.engine.Object(ctx, kind, namespace, name)
	if err == nil && o == nil {
		return nil, admin.ErrNotFound
	}
	return o, err
}

// Ready is nil when proxies are served.
func (r *replica) Ready(context.Context) error { return r.ready() }
