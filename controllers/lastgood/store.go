package lastgood

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

const (
	// loadLimit is how long Load may take; pageSize is how many objects are read at once.
	loadLimit = time.Minute
	pageSize  = 500
)

// Store is described in the package's comment. Run writes, and Watch listens; without them it only loads.
type Store struct {
	client    client.WithWatch
	namespace string
	log       *slog.Logger
	wake      chan struct{}

	mu sync.Mutex
	// want is what is to be kept, nil before the first Save; turn counts the calls of Save.
	want map[model.Key]*wanted
	turn uint64
	// leader tells that we write; every time that begins, what is there is read again (fresh is false).
	leader, fresh bool
	// told are the objects that the engine knows of: it loaded them, was told of them, or made them.
	told map[model.Key]told

	// have belongs to Run.
	have map[model.Key][]held
}

// wanted is what is to be kept of one plugin.
type wanted struct {
	variants []*build.Variant
	name     string // "" if it cannot be kept
}

// held is an object that is there.
type held struct {
	name     string
	revision int64
	broken   bool
}

// told is an object that the engine knows.
type told struct {
	name     string
	revision int64
}

// New makes a store of a namespace. The client must not be cached: it is used before caches run, and what is written must
// be seen at once. Its rate limit is the only one.
func New(c client.WithWatch, namespace string, log *slog.Logger) *Store {
	if log == nil {
		log = slog.Default()
	}
	return &Store{client: c, namespace: namespace, log: log, wake: make(chan struct{}, 1), told: map[model.Key]told{}}
}

// Load reads everything that was kept. An object that cannot be read is logged by name, and the others are loaded.
func (s *Store) Load() (map[model.Key][]*build.Variant, error) {
	ctx, cancel := context.WithTimeout(context.Background(), loadLimit)
	defer cancel()
	newest := map[model.Key]*appsv1.ControllerRevision{}
	out := map[model.Key][]*build.Variant{}
	err := s.each(ctx, func(o *appsv1.ControllerRevision) {
		key, variants, err := decode(o)
		if err != nil {
			s.log.Error(err.Error())
			return
		}
		if old := newest[key]; old == nil || newer(o, old) {
			newest[key], out[key] = o, variants
		}
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, o := range newest {
		s.told[key] = told{o.Name, o.Revision}
	}
	return out, nil
}

// Save takes what is to be kept from now on; Run writes it. The error names the plugins that cannot be kept, the first
// time; all others are.
func (s *Store) Save(good map[model.Key][]*build.Variant) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[model.Key]*wanted, len(good))
	var errs []error
	for key, variants := range good {
		if old := s.want[key]; old != nil && slices.Equal(old.variants, variants) { // the same pointers: variants never change
			next[key] = old
			continue
		}
		name, _, err := encode(key, variants)
		if err != nil {
			errs = append(errs, err)
		}
		next[key] = &wanted{variants: variants, name: name}
	}
	s.want = next
	s.turn++
	s.signal()
	return errors.Join(errs...)
}

// SetLeader says whether this replica writes.
func (s *Store) SetLeader(leader bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if leader && !s.leader {
		s.fresh = false
	}
	s.leader = leader
	s.signal()
}

func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// each reads all objects, page by page.
func (s *Store) each(ctx context.Context, f func(*appsv1.ControllerRevision)) error {
	next := ""
	for {
		var list appsv1.ControllerRevisionList
		err := s.client.List(ctx, &list, client.InNamespace(s.namespace), client.MatchingLabels{Label: "true"}, client.Limit(pageSize), client.Continue(next))
		if err != nil {
			return fmt.Errorf("reading the last good configurations (ControllerRevisions of namespace %s): %w", s.namespace, err)
		}
		for i := range list.Items {
			f(&list.Items[i])
		}
		if next = list.Continue; next == "" {
			return nil
		}
	}
}

// newer tells whether a is in force if b is there too.
func newer(a, b *appsv1.ControllerRevision) bool {
	return a.Revision > b.Revision || a.Revision == b.Revision && a.Name > b.Name
}
