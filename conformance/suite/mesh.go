package suite

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
)

// moveAfter is how long the mesh takes to move traffic after an object changed. It waits for nobody, least of all for us.
const moveAfter = 100 * time.Millisecond

// captured is a Service or ServiceEntry.
type captured struct {
	kind string
	types.NamespacedName
}

// mesh stands in for istiod: it watches the objects and tells the way to each Service, moveAfter behind them.
type mesh struct {
	reader  client.Reader
	entries bool // the cluster knows ServiceEntries
	mu      sync.Mutex
	due     bool
	ways    map[captured]way
}

// startMesh watches until the test ends.
func (s *Suite) startMesh(t *testing.T) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	c, err := cache.New(config, cache.Options{Scheme: testcluster.Scheme()})
	must(t, err)
	_, err = s.client.RESTMapper().RESTMapping(networkingv1.GroupVersion.WithKind(networkingv1.KindServiceEntry).GroupKind(), networkingv1.GroupVersion.Version)
	m := &mesh{reader: c, entries: err == nil, ways: map[captured]way{}}
	ended := make(chan error, 1)
	go func() { ended <- c.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		must(t, <-ended)
	})
	kinds := []client.Object{&corev1.Namespace{}, &corev1.Service{}, &gatewayv1.Gateway{}, &gatewayv1.GatewayClass{}}
	if m.entries {
		kinds = append(kinds, &networkingv1.ServiceEntry{})
	}
	for _, kind := range kinds {
		informer, err := c.GetInformer(ctx, kind)
		must(t, err)
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { m.changed(t) }, UpdateFunc: func(any, any) { m.changed(t) }, DeleteFunc: func(any) { m.changed(t) },
		})
		must(t, err)
	}
	s.mesh = m
}

// changed has the ways found anew in a moment.
func (m *mesh) changed(t *testing.T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.due {
		return
	}
	m.due = true
	time.AfterFunc(moveAfter, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.due = false
		ways, err := m.find()
		if err != nil {
			t.Errorf("the mesh cannot read its cache: %v", err)
			return
		}
		m.ways = ways
	})
}

// find reads everything and finds all ways.
func (m *mesh) find() (map[captured]way, error) {
	ctx := context.Background()
	v := view{map[string]*corev1.Namespace{}, map[string]*gatewayv1.GatewayClass{}, map[types.NamespacedName]*gatewayv1.Gateway{}}
	var namespaces corev1.NamespaceList
	var classes gatewayv1.GatewayClassList
	var gateways gatewayv1.GatewayList
	var services corev1.ServiceList
	var entries networkingv1.ServiceEntryList
	lists := []client.ObjectList{&namespaces, &classes, &gateways, &services}
	if m.entries {
		lists = append(lists, &entries)
	}
	for _, list := range lists {
		if err := m.reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return nil, err
		}
	}
	for i := range namespaces.Items {
		v.namespaces[namespaces.Items[i].Name] = &namespaces.Items[i]
	}
	for i := range classes.Items {
		v.classes[classes.Items[i].Name] = &classes.Items[i]
	}
	for i := range gateways.Items {
		v.gateways[client.ObjectKeyFromObject(&gateways.Items[i])] = &gateways.Items[i]
	}
	ways := map[captured]way{}
	for i := range services.Items {
		s := &services.Items[i]
		ways[captured{"Service", client.ObjectKeyFromObject(s)}] = v.way(s.ObjectMeta, false)
	}
	for i := range entries.Items {
		e := &entries.Items[i]
		ways[captured{networkingv1.KindServiceEntry, client.ObjectKeyFromObject(e)}] = v.way(e.ObjectMeta, isPrivate(e))
	}
	return ways, nil
}

func (m *mesh) way(to captured) way {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ways[to]
}

// MustUse waits until the mesh sends the traffic of "Service/name" or "ServiceEntry/name" to a waypoint ("name" or
// "namespace/name"), or past all of them ("").
func (w *World) MustUse(target, waypoint string) {
	w.t.Helper()
	var want types.NamespacedName
	if waypoint != "" {
		want = w.of(named(waypoint))
	}
	to := w.captured(target)
	eventually(w.t, w.Timeouts.Status, fmt.Sprintf("the traffic of %s goes to waypoint %q", target, waypoint), func() (bool, string) {
		got := w.mesh.way(to)
		return got.waypoint == want, fmt.Sprintf("it goes to %q", got.waypoint)
	})
}
