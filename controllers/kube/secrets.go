package kube

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// secrets watches exactly the Secrets that some object refers to, one by one. It is part of a Source and guarded by its lock.
type secrets struct {
	client typedcorev1.SecretsGetter
	log    *slog.Logger
	mu     *sync.Mutex
	// changed takes a Secret's event; answered says that the API server spoke about a Secret for the first time. The lock is
	// held.
	changed  func(store.Event)
	answered func(types.NamespacedName)

	// users are the objects that refer to a Secret; refs are the Secrets to which an object refers.
	users   map[types.NamespacedName]map[store.Ref]bool
	refs    map[store.Ref][]types.NamespacedName
	watches map[types.NamespacedName]*secretWatch
}

type secretWatch struct {
	stop context.CancelFunc
	// known tells that the API server answered, or refused to.
	known bool
}

func newSecrets(client typedcorev1.SecretsGetter, mu *sync.Mutex, log *slog.Logger) *secrets {
	return &secrets{
		client: client, mu: mu, log: log,
		users:   map[types.NamespacedName]map[store.Ref]bool{},
		refs:    map[store.Ref][]types.NamespacedName{},
		watches: map[types.NamespacedName]*secretWatch{},
	}
}

// refer replaces the Secrets to which an object refers (none: it is gone or refers to none), and tells which of them are not
// known yet, and which nobody refers to any more. Those are not kept: the caller takes them out when the object does not
// need them any more.
func (s *secrets) refer(ctx context.Context, from store.Ref, names []types.NamespacedName) (unknown []types.NamespacedName, unused []store.Event) {
	before := s.refs[from]
	delete(s.refs, from)
	if len(names) > 0 {
		s.refs[from] = names
	}
	for _, name := range names {
		if s.users[name] == nil {
			s.users[name] = map[store.Ref]bool{}
			s.start(ctx, name)
		}
		s.users[name][from] = true
		if !s.watches[name].known {
			unknown = append(unknown, name)
		}
	}
	for _, name := range before {
		if slices.Contains(names, name) || s.users[name] == nil {
			continue
		}
		delete(s.users[name], from)
		if len(s.users[name]) == 0 {
			delete(s.users, name)
			s.watches[name].stop()
			delete(s.watches, name)
			unused = append(unused, store.Event{Deleted: secretRef(name)})
		}
	}
	return unknown, unused
}

func secretRef(name types.NamespacedName) store.Ref {
	return store.Ref{Kind: store.KindSecret, NamespacedName: name}
}

func (s *secrets) start(ctx context.Context, name types.NamespacedName) {
	ctx, stop := context.WithCancel(ctx)
	w := &secretWatch{stop: stop}
	s.watches[name] = w
	api := s.client.Secrets(name.Namespace)
	n := &named[*corev1.Secret]{
		name: name.Name, get: api.Get, open: api.Watch,
		found: func(secret *corev1.Secret, exists bool) {
			e := store.Event{Deleted: secretRef(name)}
			if exists {
				secret.ManagedFields = nil
				e = store.Event{Object: secret}
			}
			s.tell(name, w, &e)
		},
		refused: func(err error) {
			s.log.Error("a Secret may not be read, and what refers to it does not work; grant get and watch on it", "secret", name.String(), "error", err)
			s.tell(name, w, nil)
		},
	}
	go n.run(ctx, &corev1.Secret{})
}

// tell hands an event on, unless the watch was stopped meanwhile.
func (s *secrets) tell(name types.NamespacedName, w *secretWatch, e *store.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watches[name] != w {
		return
	}
	if e != nil {
		s.changed(*e)
	}
	if !w.known {
		w.known = true
		s.answered(name)
	}
}
