package provisioner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
)

// deaf is a cache whose API server does not answer the first questions for informers, and then none about objects.
type deaf struct {
	cache.Cache
	mu       sync.Mutex
	failures int
	watched  map[string]bool
	silent   bool
}

var errDeaf = errors.New("the server is currently unable to handle the request")

func (d *deaf) GetInformer(_ context.Context, o client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failures > 0 {
		d.failures--
		return nil, errDeaf
	}
	d.watched[fmt.Sprintf("%T", o)] = true
	return &informer{silent: d.silent}, nil
}

func (d *deaf) List(context.Context, client.ObjectList, ...client.ListOption) error { return errDeaf }

func (d *deaf) kinds() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.watched)
}

// informer is one that has its first list, or never gets it.
type informer struct {
	cache.Informer
	silent bool
}

type registration struct {
	toolscache.ResourceEventHandlerRegistration
	*informer
}

func (i *informer) AddEventHandler(toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	return registration{informer: i}, nil
}
func (i *informer) RemoveEventHandler(toolscache.ResourceEventHandlerRegistration) error { return nil }
func (r registration) HasSynced() bool                                                   { return !r.silent }

// term starts a time of leadership, and gives its end.
func term(t *testing.T, p *Provisioner) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Run(ctx); err != nil {
			t.Errorf("the term ended with %v", err)
		}
	}()
	end = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(end)
	return end
}

func on(c cache.Cache, log *testbed.Text) *Provisioner {
	return New(Options{
		Cache: c, Facts: func() provision.Facts { return provision.Facts{} }, Logger: slog.New(slog.NewTextHandler(log, nil)),
		Changed: func(types.NamespacedName) {}, ClassChanged: func(string) {},
	})
}

func TestAKindThatCannotBeWatchedYetIsAskedForAgain(t *testing.T) {
	d, log := &deaf{failures: 2, watched: map[string]bool{}}, &testbed.Text{}
	term(t, on(d, log))
	testbed.Eventually(t, time.Minute, "all kinds are watched", func() (bool, string) { return d.kinds() == len(owned()), log.String() })
	if n := strings.Count(log.String(), "cannot be watched"); n != 2 {
		t.Errorf("%d failures are told, want 2:\n%s", n, log)
	}
}

func TestAKindWhoseListDoesNotComeIsNamed(t *testing.T) {
	d, log := &deaf{watched: map[string]bool{}, silent: true}, &testbed.Text{}
	term(t, on(d, log))
	testbed.Eventually(t, time.Minute, "it is told", func() (bool, string) {
		return strings.Contains(log.String(), "kind=*v1.Deployment"), log.String()
	})
}

func TestTheEndOfATermDoesNotSilenceTheNext(t *testing.T) {
	d, log := &deaf{watched: map[string]bool{}, silent: true}, &testbed.Text{}
	p := on(d, log)
	leads := func() any {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.queue
	}
	first := term(t, p)
	testbed.Eventually(t, time.Minute, "the first term begins", func() (bool, string) { return leads() != nil && d.kinds() == 1, "" })
	before := leads()
	term(t, p)
	testbed.Eventually(t, time.Minute, "the second term begins", func() (bool, string) { return leads() != before, "" })
	second := leads()
	first()
	if leads() != second {
		t.Error("the queue of the second term is gone: it hears of no change")
	}
}
