package publish

import (
	"cmp"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// Manager is the field manager of all that is written.
const Manager = "wasmpoint"

// StatusManager is the field manager of the status of Gateways and GatewayClasses. It is another one, because what one manager
// does not apply again goes, and our conditions on targets are applied by themselves.
const StatusManager = "wasmpoint.dev/status"

// Engine answers what is so. An object that is not in the answer does not exist, as far as the engine knows.
type Engine interface {
	PluginInputs(ctx context.Context, keys []model.Key) (map[model.Key]status.Input, error)
	TargetInputs(ctx context.Context, gateways []types.NamespacedName, services []model.ServiceKey) (map[status.TargetKey]status.TargetInput, error)
	GatewayInputs(ctx context.Context, gateways []types.NamespacedName) (map[types.NamespacedName]status.GatewayInput, error)
	RouteInputs(ctx context.Context, routes []types.NamespacedName) (map[types.NamespacedName]status.RouteInput, error)
}

// Provisions tells what became of the objects of managed Gateways. False, or an older generation: that is not known yet, and
// nothing is written.
type Provisions interface {
	State(gateway types.NamespacedName) (status.Provision, bool)
	ClassState(class string) (status.ClassInput, bool)
}

// Options configure a Publisher. Engine, Client, Reader and Recorder are needed.
type Options struct {
	Engine Engine
	// Client writes. It also reads single objects right before they are written, unstructured, and those reads must not come
	// from a cache (that is so for a controller-runtime client as it comes).
	Client client.Client
	// Reader is the informer cache of WasmPlugin, TrafficExtension, Gateway (v1) and Service as typed objects. It is best not
	// to strip managedFields from Gateways and Services there, or only to KeepOwners: without them, it takes a read from
	// the API server to know who wrote istio.io/WaypointBound.
	Reader   client.Reader
	Recorder events.EventRecorder
	// Provisions is asked for the status of Gateways and GatewayClasses; nil: the status of Gateway API's objects is not ours.
	Provisions Provisions
	// Settle is how long an object must not have been marked before it is looked at (200 ms by default), and MaxDelay how
	// long marks can put that off (1 s).
	Settle, MaxDelay time.Duration
	// Rate bounds all writes, in writes per second (20 by default), Burst how many may come at once (40).
	Rate  rate.Limit
	Burst int
	// Hold is for how long yet it is not believed that proxies of a programmed plugin are missing; nil: not at all. The proxies
	// of a controller that ended come back within seconds.
	Hold func() time.Duration
	// Workers is how many writes are under way at once (4 by default), each of another object.
	Workers int
	Logger  *slog.Logger
	Now     func() time.Time
}

func (o Options) withDefaults() Options {
	o.Settle = cmp.Or(o.Settle, 200*time.Millisecond)
	o.MaxDelay = cmp.Or(o.MaxDelay, time.Second)
	o.Rate = cmp.Or(o.Rate, 20)
	o.Burst = cmp.Or(o.Burst, 40)
	o.Workers = cmp.Or(o.Workers, 4)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Hold == nil {
		o.Hold = func() time.Duration { return 0 }
	}
	return o
}

// Counters count what was done since the start, over all terms of leadership.
type Counters struct {
	// Writes that the API server took; Conflicts and Errors that it did not; Skipped are objects that already said the right.
	Writes, Conflicts, Errors, Skipped atomic.Int64
}
