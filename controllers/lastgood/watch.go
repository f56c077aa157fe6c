package lastgood

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

// gather is how long changes are gathered before they are told.
const gather = 50 * time.Millisecond

// Watch tells what another replica wrote since Load, until ctx ends: a follower's fresh proxies need it, and a follower that
// becomes the leader without it would put older configurations in force. learn gets plugins with new content only, and
// must merge them with what it knows; calls come one after another. What this replica wrote itself is not told.
func (s *Store) Watch(ctx context.Context, learn func(map[model.Key][]*build.Variant)) {
	changed := make(chan struct{}, 1)
	signal := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	objects, informer := toolscache.NewInformerWithOptions(toolscache.InformerOptions{
		ListerWatcher: &toolscache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				list := &appsv1.ControllerRevisionList{}
				return list, s.client.List(ctx, list, s.selection(o)...)
			},
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				return s.client.Watch(ctx, &appsv1.ControllerRevisionList{}, s.selection(o)...)
			},
		},
		ObjectType: &appsv1.ControllerRevision{},
		Handler: toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { signal() }, UpdateFunc: func(any, any) { signal() }, DeleteFunc: func(any) { signal() },
		},
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		informer.RunWithContext(ctx)
	}()
	defer func() { <-done }()
	v := view{said: map[string]struct{}{}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(gather):
		}
		if informer.HasSynced() { // before, what is missing is not gone
			if news := s.news(&v, objects.List()); len(news) > 0 {
				learn(news)
			}
		} else {
			signal()
		}
	}
}

// view is what Watch saw last.
type view struct {
	newest map[model.Key]*appsv1.ControllerRevision
	said   map[string]struct{} // names of broken objects
}

// news are the plugins whose object in force the engine does not know.
func (s *Store) news(v *view, objects []any) map[model.Key][]*build.Variant {
	newest := map[model.Key]*appsv1.ControllerRevision{}
	for _, x := range objects {
		o, ok := x.(*appsv1.ControllerRevision)
		if !ok {
			continue
		}
		if key, named := parseKey(o.Annotations[PluginAnnotation]); named && (newest[key] == nil || newer(o, newest[key])) {
			newest[key] = o
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range v.newest {
		if newest[key] == nil {
			delete(s.told, key) // it is gone, and its revisions may begin anew
		}
	}
	v.newest = newest
	out := map[model.Key][]*build.Variant{}
	for key, o := range newest {
		if known := s.told[key]; known.name == o.Name || known.revision > o.Revision {
			continue
		}
		_, variants, err := decode(o)
		if err != nil {
			if _, again := v.said[o.Name]; !again {
				v.said[o.Name] = struct{}{}
				s.log.Error(err.Error())
			}
			continue
		}
		s.told[key] = told{o.Name, o.Revision}
		out[key] = variants
	}
	return out
}

func (s *Store) selection(o metav1.ListOptions) []client.ListOption {
	return []client.ListOption{&client.ListOptions{Raw: &o}, client.InNamespace(s.namespace), client.MatchingLabels{Label: "true"}}
}
