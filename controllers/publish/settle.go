package publish

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// item names an object that has a status of ours: a plugin of either kind, a Gateway, a Service or a ServiceEntry.
type item struct {
	kind string
	types.NamespacedName
}

// settle keeps marked objects until they were quiet for a while: a Deployment that is scaled changes a count with every
// proxy that comes, and one write at the end is enough. An object that never is quiet comes through after limit.
type settle struct {
	quiet, limit time.Duration
	wake         chan struct{}

	mu    sync.Mutex
	marks map[item]mark
}

type mark struct {
	first, due time.Time
	// bulk is a mark that came with everything else; see pace.
	bulk bool
}

func newSettle(quiet, limit time.Duration) *settle {
	return &settle{quiet: quiet, limit: limit, wake: make(chan struct{}, 1), marks: map[item]mark{}}
}

// add marks objects. It is cheap, and safe from any goroutine.
func (s *settle) add(now time.Time, bulk bool, items ...item) {
	s.mu.Lock()
	first := len(s.marks) == 0
	for _, it := range items {
		m, known := s.marks[it]
		if !known {
			m = mark{first: now, bulk: bulk}
		}
		m.bulk = m.bulk && bulk
		m.due = now.Add(s.quiet)
		if latest := m.first.Add(s.limit); m.due.After(latest) {
			m.due = latest
		}
		s.marks[it] = m
	}
	s.mu.Unlock()
	// No mark is due later than quiet after the latest one, so only the first of all can be due before what is waited for.
	if first && len(items) > 0 {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// settled is an object whose marks came to rest.
type settled struct {
	item
	mark
}

// take removes what is due, the longest marked first, and says how long to wait for the next.
func (s *settle) take(now time.Time) (due []settled, next time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next = time.Hour
	for it, m := range s.marks {
		if wait := m.due.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		due = append(due, settled{it, m})
		delete(s.marks, it)
	}
	slices.SortFunc(due, func(a, b settled) int {
		return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.kind, b.kind))
	})
	return due, next
}
