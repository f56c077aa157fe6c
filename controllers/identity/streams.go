package identity

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// ServerOption is what a gRPC server needs for streams to end with their Pods. A handler that waits for its client can be
// woken by the end of its context alone, and that end is in the transport's hand: so the context is made ours before the
// transport takes it. The client sees Canceled, and hears why when it tries again.
func ServerOption() grpc.ServerOption {
	return grpc.InTapHandle(func(ctx context.Context, _ *tap.Info) (context.Context, error) {
		ctx, end := context.WithCancel(ctx)
		return context.WithValue(ctx, endKey{}, end), nil
	})
}

type endKey struct{}

// endOf is the function that ends the stream of a context.
func endOf(ctx context.Context) (context.CancelFunc, bool) {
	end, ok := ctx.Value(endKey{}).(context.CancelFunc)
	return end, ok
}

// streams are the open streams of Pods, and those of certificates.
type streams struct {
	// check tells whether certificates are good now; nil: those of all open connections are.
	check func(chain []*x509.Certificate) error

	mu        sync.Mutex
	byPod     map[types.UID]map[*stream]struct{}
	certified map[*certified]struct{}
}

type stream struct{ end context.CancelFunc }

// add notes a stream until its context ends.
func (s *streams) add(ctx context.Context, uid types.UID, end context.CancelFunc) {
	one := &stream{end}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byPod[uid] == nil {
		s.byPod[uid] = map[*stream]struct{}{}
	}
	s.byPod[uid][one] = struct{}{}
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.byPod[uid], one)
		if len(s.byPod[uid]) == 0 {
			delete(s.byPod, uid)
		}
	})
}

// end ends all streams of a Pod.
func (s *streams) end(uid types.UID) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.byPod[uid] {
		one.end()
		n++
	}
	return n
}

// WatchExternal does so for the Pods of external proxies, whose labels say which plugins they get. The cache must be the one of
// Options.External.
func (a *Authenticator) WatchExternal(ctx context.Context, c cache.Informers) error {
	informer, err := c.GetInformer(ctx, externalPod(), cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watching Pods of external proxies: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		UpdateFunc: func(before, after any) {
			b, ok := before.(*metav1.PartialObjectMetadata)
			p, ok2 := after.(*metav1.PartialObjectMetadata)
			if ok && ok2 && (b.UID != p.UID || workloadOf(b) != workloadOf(p)) {
				a.ended(b)
			}
		},
		DeleteFunc: func(o any) {
			if tombstone, is := o.(toolscache.DeletedFinalStateUnknown); is {
				o = tombstone.Obj
			}
			if p, ok := o.(*metav1.PartialObjectMetadata); ok {
				a.ended(p)
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watching Pods of external proxies: %w", err)
	}
	return nil
}

// WatchPods ends streams with their Pods until the cache ends. The cache must be the one in which Pods are read.
func (a *Authenticator) WatchPods(ctx context.Context, c cache.Informers) error {
	informer, err := c.GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watching Pods: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		UpdateFunc: func(before, after any) {
			b, ok := before.(*corev1.Pod)
			p, ok2 := after.(*corev1.Pod)
			if ok && ok2 && (b.UID != p.UID || b.Labels[extv1.LabelGatewayName] != p.Labels[extv1.LabelGatewayName]) {
				a.ended(b)
			}
		},
		DeleteFunc: func(o any) {
			if tombstone, is := o.(toolscache.DeletedFinalStateUnknown); is {
				o = tombstone.Obj
			}
			if p, ok := o.(*corev1.Pod); ok {
				a.ended(p)
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watching Pods: %w", err)
	}
	return nil
}

// ended ends the streams of a Pod that is gone, another Gateway's, or of other labels.
func (a *Authenticator) ended(p metav1.Object) {
	if n := a.streams.end(p.GetUID()); n > 0 {
		a.log.Info("streams of a proxy ended: its Pod is gone, another Gateway's, or has other labels", "namespace", p.GetNamespace(), "pod", p.GetName(), "streams", n)
	}
}
