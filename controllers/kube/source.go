package kube

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/controllers/engine"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// Options configure a Source. All are needed but External, Touched, Seen and Forget.
type Options struct {
	// Cache is controller-runtime's; CacheOptions is what it must have been made with.
	Cache cache.Cache
	// External is the cache of the Pods of external proxies (ExternalCacheOptions); nil: there are none.
	External cache.Cache
	Secrets  typedcorev1.SecretsGetter
	Engine   Engine
	Network  engine.Network
	// Touched is called with every plugin whose status somebody wrote, ourselves included. It must not block.
	Touched func(model.Key)
	// Seen is called with every Gateway, GatewayClass and HTTPRoute that came, changed or went, its status included. It
	// must not block.
	Seen func(store.Ref)
	// Forget is told that a kind is not served any more (Freshness.Forget).
	Forget func(group, plural string)
	Logger *slog.Logger
}

// Engine is what a Source feeds.
type Engine interface {
	Apply(events []store.Event, network engine.Network, moved []store.Ref, done func())
	SetPod(label types.NamespacedName, pod engine.Pod, gone bool)
	SetExternalPod(pod engine.ExternalPod, gone bool)
}

// Source watches the cluster. Make it with New, and let Run work.
type Source struct {
	o   Options
	log *slog.Logger

	mu      sync.Mutex
	secrets *secrets
	// held are objects that wait for the first answer about a Secret: without it they would be judged by half of what they
	// refer to.
	held map[store.Ref]*heldEvent
	// first gathers the world until it is complete; nil afterwards.
	first map[store.Ref]store.Event
	// waiting are the watched kinds that are not complete yet.
	waiting map[string]bool
	ready   chan struct{}
}

// heldEvent is an object's event, followed by the ends of Secrets to which it does not refer any more.
type heldEvent struct {
	events []store.Event
	on     map[types.NamespacedName]bool
}

// New makes a source.
func New(o Options) *Source {
	s := &Source{
		o: o, log: o.Logger,
		held:  map[store.Ref]*heldEvent{},
		first: map[store.Ref]store.Event{}, waiting: map[string]bool{}, ready: make(chan struct{}),
	}
	s.secrets = newSecrets(o.Secrets, &s.mu, o.Logger)
	s.secrets.changed = func(e store.Event) { s.emit(e) }
	s.secrets.answered = s.secretAnswered
	return s
}

// Run watches until ctx ends. The cache must be running or be started meanwhile.
func (s *Source) Run(ctx context.Context) error {
	s.mu.Lock()
	s.waiting[crdKind] = true
	for i := range kinds {
		if kinds[i].crd == "" {
			s.waiting[string(kinds[i].name)] = true
		}
	}
	s.waiting["Pod"] = true
	if s.o.External != nil {
		s.waiting[externalPods] = true
	}
	s.mu.Unlock()
	if err := s.watchPods(ctx); err != nil {
		return err
	}
	if s.o.External != nil {
		if err := s.watchExternal(ctx); err != nil {
			return err
		}
	}
	for i := range kinds {
		if k := &kinds[i]; k.crd == "" {
			if err := s.watch(ctx, k, ""); err != nil {
				return err
			}
		}
	}
	if err := s.watchCRDs(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// Ready is closed when the engine has the whole world.
func (s *Source) Ready() <-chan struct{} { return s.ready }

// Missing says what is not complete yet, "" when nothing is.
func (s *Source) Missing() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		return ""
	}
	var parts []string
	for name := range s.waiting {
		parts = append(parts, name)
	}
	for _, h := range s.held {
		for name := range h.on {
			parts = append(parts, "Secret "+name.String())
		}
	}
	sort.Strings(parts)
	return "waiting for the API server to list: " + strings.Join(slices.Compact(parts), ", ")
}

// watch feeds the store from one kind.
func (s *Source) watch(ctx context.Context, k *kind, version string) error {
	informer, err := s.o.Cache.GetInformer(ctx, k.watched(version), cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watching %s: %w", k.name, err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) {
			s.put(ctx, k, o)
			s.seen(k, o)
		},
		UpdateFunc: func(old, o any) {
			s.put(ctx, k, o)
			s.touched(k, old, o)
			s.seen(k, o)
		},
		DeleteFunc: func(o any) {
			s.gone(ctx, k, o)
			s.seen(k, o)
		},
	})
	if err != nil {
		return fmt.Errorf("watching %s: %w", k.name, err)
	}
	go s.complete(ctx, string(k.name), registration.HasSynced)
	return nil
}

// complete notes that a kind's first list was handed on.
func (s *Source) complete(ctx context.Context, name string, synced func() bool) {
	if !toolscache.WaitForCacheSync(ctx.Done(), synced) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, name)
	s.begin()
}

// touched tells of a plugin of which something else than its spec was written: another controller may have taken our entries
// out of its status.
func (s *Source) touched(k *kind, old, o any) {
	before, ok := old.(client.Object)
	after, ok2 := o.(client.Object)
	isPlugin := k.name == store.KindWasmPlugin || k.name == store.KindTrafficExtension
	if !ok || !ok2 || !isPlugin || s.o.Touched == nil ||
		before.GetGeneration() != after.GetGeneration() || before.GetResourceVersion() == after.GetResourceVersion() {
		return
	}
	s.o.Touched(model.Key{Kind: string(k.name), Namespace: after.GetNamespace(), Name: after.GetName()})
}

// seen tells of an object of Gateway API that has a status of ours.
func (s *Source) seen(k *kind, o any) {
	if tombstone, is := o.(toolscache.DeletedFinalStateUnknown); is {
		o = tombstone.Obj
	}
	object, ok := o.(client.Object)
	if !ok || s.o.Seen == nil {
		return
	}
	switch k.name {
	case store.KindGateway, store.KindGatewayClass, store.KindHTTPRoute:
		s.o.Seen(store.Ref{Kind: k.name, NamespacedName: client.ObjectKeyFromObject(object)})
	}
}

func (s *Source) put(ctx context.Context, k *kind, o any) {
	object, ok := o.(client.Object)
	if !ok {
		return
	}
	converted, err := k.convert(object)
	if err != nil {
		s.log.Error("object not taken in; what it was before stays in force", "kind", string(k.name), "namespace", object.GetNamespace(), "name", object.GetName(), "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ref, err := store.RefOf(converted)
	if err != nil {
		s.log.Error("object not taken in", "error", err)
		return
	}
	names := secretsOf(converted)
	if p, is := converted.(*model.Plugin); is && p.Invalid != "" {
		// The form before may stay in force, with its Secret.
		for _, name := range s.secrets.refs[ref] {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	s.emitWith(ctx, ref, store.Event{Object: converted}, names)
}

func (s *Source) gone(ctx context.Context, k *kind, o any) {
	if tombstone, is := o.(toolscache.DeletedFinalStateUnknown); is {
		o = tombstone.Obj
	}
	object, ok := o.(client.Object)
	if !ok {
		return
	}
	ref := store.Ref{Kind: k.name, NamespacedName: client.ObjectKeyFromObject(object)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emitWith(ctx, ref, store.Event{Deleted: ref}, nil)
}

// secretsOf are the Secrets that an object refers to.
func secretsOf(o any) []types.NamespacedName {
	switch o := o.(type) {
	case *model.Plugin:
		return store.PullSecrets(o)
	case *gatewayv1.Gateway:
		return store.CertificateSecrets(o)
	}
	return nil
}

// emitWith emits an event, but not before something is known of every Secret that the object refers to.
func (s *Source) emitWith(ctx context.Context, ref store.Ref, e store.Event, names []types.NamespacedName) {
	var before []store.Event // what an older form that was held took out
	if h := s.held[ref]; h != nil {
		before = h.events[1:]
		delete(s.held, ref)
	}
	unknown, unused := s.secrets.refer(ctx, ref, names)
	events := slices.Concat([]store.Event{e}, before, unused)
	if len(unknown) == 0 {
		s.emit(events...)
		return
	}
	h := &heldEvent{events: events, on: map[types.NamespacedName]bool{}}
	for _, name := range unknown {
		h.on[name] = true
	}
	s.held[ref] = h
}

func (s *Source) secretAnswered(name types.NamespacedName) {
	for ref, h := range s.held {
		delete(h.on, name)
		if len(h.on) == 0 {
			delete(s.held, ref)
			s.emit(h.events...)
		}
	}
	s.begin()
}

// emit hands events to the engine at once, or keeps them for the first batch. The end of a Secret that came back into use
// while its event was held is left out.
func (s *Source) emit(events ...store.Event) {
	events = slices.DeleteFunc(events, func(e store.Event) bool {
		return e.Object == nil && e.Deleted.Kind == store.KindSecret && len(events) > 1 && s.secrets.users[e.Deleted.NamespacedName] != nil
	})
	if s.first == nil {
		s.o.Engine.Apply(events, s.o.Network, nil, nil)
		return
	}
	for _, e := range events {
		if e.Object == nil {
			delete(s.first, e.Deleted)
			continue
		}
		ref, _ := store.RefOf(e.Object)
		s.first[ref] = e
	}
}

// begin hands the first batch on when everything is complete.
func (s *Source) begin() {
	if s.first == nil || len(s.waiting) > 0 || len(s.held) > 0 {
		return
	}
	refs := make([]store.Ref, 0, len(s.first))
	for ref := range s.first {
		refs = append(refs, ref)
	}
	sort.Slice(refs, func(i, j int) bool { return refs[i].String() < refs[j].String() })
	events := make([]store.Event, 0, len(refs))
	for _, ref := range refs {
		events = append(events, s.first[ref])
	}
	s.first = nil
	s.o.Engine.Apply(events, s.o.Network, nil, func() { close(s.ready) })
}
