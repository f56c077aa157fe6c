package services

import (
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/wasmpoint/wasmpoint/conformance/suite/netns"
)

// again is when a port that could not be listened on is tried again. Nothing else may happen to its Service.
const again = time.Second

var errNoEndpoint = errors.New("no endpoint is ready")

// Relay relays connections to Services' addresses.
type Relay struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
	chosen   func(*corev1.Service) bool
	fixed    map[types.NamespacedName]string
	log      *slog.Logger

	mu      sync.Mutex
	stopped bool
	running map[types.NamespacedName]*front
}

// front is one Service's address.
type front struct {
	ip    string
	ports map[int32]*door
	// taken are ports that could not be listened on; retry tells that they will be tried again.
	taken map[int32]bool
	retry bool
}

// door is one port of it.
type door struct {
	listener net.Listener
	behind   atomic.Pointer[[]string]
	turn     atomic.Uint64
}

// NewRelay relays to the Services for which chosen is true, as soon as the informers run. A Service in fixed has no
// EndpointSlices but this address behind it.
func NewRelay(factory informers.SharedInformerFactory, chosen func(*corev1.Service) bool, fixed map[types.NamespacedName]string, log *slog.Logger) (*Relay, error) {
	r := &Relay{
		services: factory.Core().V1().Services().Lister(), slices: factory.Discovery().V1().EndpointSlices().Lister(),
		chosen: chosen, fixed: fixed, log: log, running: map[types.NamespacedName]*front{},
	}
	_, err := factory.Core().V1().Services().Informer().AddEventHandler(onAny(func(o any) {
		if s, ok := o.(*corev1.Service); ok {
			r.sync(types.NamespacedName{Namespace: s.Namespace, Name: s.Name})
		}
	}))
	if err != nil {
		return nil, err
	}
	_, err = factory.Discovery().V1().EndpointSlices().Informer().AddEventHandler(onAny(func(o any) {
		if s, ok := o.(*discoveryv1.EndpointSlice); ok {
			r.sync(types.NamespacedName{Namespace: s.Namespace, Name: s.Labels[discoveryv1.LabelServiceName]})
		}
	}))
	return r, err
}

// onAny calls f with an object that was added, changed or deleted.
func onAny(f func(any)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    f,
		UpdateFunc: func(_, o any) { f(o) },
		DeleteFunc: func(o any) {
			if tombstone, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = tombstone.Obj
			}
			f(o)
		},
	}
}

// sync brings one Service's listeners and endpoints to what the cluster says.
func (r *Relay) sync(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	service, err := r.services.Services(key.Namespace).Get(key.Name)
	f := r.running[key]
	if err != nil || !r.chosen(service) || service.Spec.ClusterIP == "" || service.Spec.ClusterIP == corev1.ClusterIPNone {
		r.close(key, f)
		return
	}
	if f != nil && f.ip != service.Spec.ClusterIP { // deleted and made again between two looks
		r.close(key, f)
		f = nil
	}
	if f == nil {
		f = &front{ip: service.Spec.ClusterIP, ports: map[int32]*door{}, taken: map[int32]bool{}}
		r.running[key] = f
		if err := netns.AddLocal(f.ip + "/32"); err != nil {
			r.log.Error("a Service's address cannot be made local", "service", key, "error", err)
		}
	}
	byService := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: key.Name})
	all, err := r.slices.EndpointSlices(key.Namespace).List(byService)
	if err != nil {
		r.log.Error("EndpointSlices", "service", key, "error", err)
	}
	wanted := map[int32]bool{}
	for _, p := range service.Spec.Ports {
		if p.Protocol != corev1.ProtocolTCP && p.Protocol != "" {
			continue
		}
		wanted[p.Port] = true
		behind := endpoints(p, all)
		if address := r.fixed[key]; address != "" {
			behind = []string{address}
		}
		if err := f.open(p.Port, behind); err != nil {
			if !f.taken[p.Port] {
				f.taken[p.Port] = true
				r.log.Warn("a Service's port cannot be listened on; it is tried again", "service", key, "port", p.Port, "error", err)
			}
			r.later(key, f)
		}
	}
	for port, d := range f.ports {
		if !wanted[port] {
			_ = d.listener.Close()
			delete(f.ports, port)
		}
	}
}

// later looks at a Service once more, and plans that once at a time: each look may fail for several ports.
func (r *Relay) later(key types.NamespacedName, f *front) {
	if f.retry {
		return
	}
	f.retry = true
	time.AfterFunc(again, func() {
		r.mu.Lock()
		f.retry = false
		r.mu.Unlock()
		r.sync(key)
	})
}

// open listens on a port, if nobody does yet, and sets what is behind it.
func (f *front) open(port int32, behind []string) error {
	if d := f.ports[port]; d != nil {
		d.behind.Store(&behind)
		return nil
	}
	d := &door{}
	d.behind.Store(&behind)
	var err error
	if d.listener, err = net.Listen("tcp", net.JoinHostPort(f.ip, strconv.Itoa(int(port)))); err != nil {
		return err
	}
	f.ports[port] = d
	go netns.Serve(d.listener, d.dial)
	return nil
}

// dial connects to the endpoint whose turn it is.
func (d *door) dial() (net.Conn, error) {
	behind := *d.behind.Load()
	if len(behind) == 0 {
		return nil, errNoEndpoint
	}
	return net.Dial("tcp", behind[d.turn.Add(1)%uint64(len(behind))])
}

func (r *Relay) close(key types.NamespacedName, f *front) {
	if f == nil {
		return
	}
	for _, d := range f.ports {
		_ = d.listener.Close()
	}
	if err := netns.DropLocal(f.ip + "/32"); err != nil {
		r.log.Error("a Service's address stays local", "service", key, "error", err)
	}
	delete(r.running, key)
}

// Stop takes no more connections. Those that are there end with their Pods.
func (r *Relay) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	for key, f := range r.running {
		r.close(key, f)
	}
}
