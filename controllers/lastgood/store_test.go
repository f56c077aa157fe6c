package lastgood

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

// world is a namespace of a real API server, with a client that notes what is written.
type world struct {
	t         *testing.T
	namespace string
	client    client.WithWatch
	log       testbed.Text
	mu        sync.Mutex
	calls     []string
}

func newWorld(t *testing.T, k *cluster.Cluster, namespace string) *world {
	t.Helper()
	real, err := client.NewWithWatch(k.Config(), client.Options{Scheme: cluster.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, namespace: namespace}
	note := func(verb string, o client.Object) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.calls = append(w.calls, verb+" "+strings.TrimPrefix(o.GetAnnotations()[PluginAnnotation], "WasmPlugin shop/"))
	}
	w.client = interceptor.NewClient(real, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			note("create", o)
			return c.Create(ctx, o, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			note("delete", o)
			return c.Delete(ctx, o, opts...)
		},
	})
	if err := real.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) store() *Store {
	return New(w.client, w.namespace, slog.New(slog.NewTextHandler(&w.log, nil)))
}

// run runs a store until the test ends, or the returned function is called, which waits for its end.
func (w *world) run(s *Store) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		s.Run(ctx)
		close(done)
	}()
	stop = func() { cancel(); <-done }
	w.t.Cleanup(stop)
	return stop
}

func (w *world) taken() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := strings.Join(w.calls, ", ")
	w.calls = nil
	return out
}

// kept lists the objects that are there as "plugin@revision=configuration of the first variant".
func (w *world) kept() string {
	w.t.Helper()
	var list appsv1.ControllerRevisionList
	if err := w.client.List(context.Background(), &list, client.InNamespace(w.namespace)); err != nil {
		return err.Error()
	}
	var out []string
	for i := range list.Items {
		o := &list.Items[i]
		k, variants, err := decode(o)
		first := "broken"
		if err == nil {
			first = string(variants[0].Config)
		}
		out = append(out, fmt.Sprintf("%s@%d=%s", k.Name, o.Revision, first))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (w *world) eventually(want string) {
	w.t.Helper()
	testbed.Eventually(w.t, 20*time.Second, "kept "+want, func() (bool, string) {
		got := w.kept()
		return got == want, got + "\n" + w.log.String()
	})
}

type good = map[model.Key][]*build.Variant

func save(t *testing.T, s *Store, g good) {
	t.Helper()
	if err := s.Save(g); err != nil {
		t.Fatal(err)
	}
}

// show is what Load gave, as kept shows it.
func show(g good) string {
	var out []string
	for k, variants := range g {
		out = append(out, k.Name+"="+string(variants[0].Config))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestLastGoodConfigurationsInACluster(t *testing.T) {
	k := cluster.Start(t)
	t.Run("only what differs is written, by the leader alone", func(t *testing.T) { onlyWhatDiffersIsWritten(t, k) })
	t.Run("Kubernetes does not let data be changed", func(t *testing.T) { dataCannotBeChanged(t, k) })
	t.Run("what is due at the end is written", func(t *testing.T) { theRestIsWritten(t, k) })
	t.Run("a plugin that is too large takes nothing from others", func(t *testing.T) { tooLarge(t, k) })
	t.Run("a broken object is named and left alone, until there is a better one", func(t *testing.T) { brokenObjects(t, k) })
	t.Run("of two objects of a plugin the one with the higher revision is in force, and the other goes", func(t *testing.T) { twoObjects(t, k) })
}

func onlyWhatDiffersIsWritten(t *testing.T, k *cluster.Cluster) {
	w := newWorld(t, k, "differs")
	s := w.store()
	stop := w.run(s)
	g := good{key("b"): {variant("b", 1, "1")}, key("a"): {variant("a", 1, "1"), variant("a", 0, "0")}}
	save(t, s, g)
	if got := w.kept(); got != "" {
		t.Errorf("a follower wrote %s", got)
	}
	s.SetLeader(true)
	w.eventually("a@1=1 b@1=1")
	if got := w.taken(); got != "create a, create b" {
		t.Errorf("calls: %s", got)
	}
	g = maps.Clone(g)
	g[key("b")] = []*build.Variant{variant("b", 2, "2"), g[key("b")][0]}
	save(t, s, g)
	w.eventually("a@1=1 b@2=2")
	g = maps.Clone(g)
	g[key("a")] = []*build.Variant{variant("a", 1, "1"), variant("a", 0, "0")} // others, but equal
	save(t, s, g)
	delete(g, key("b"))
	save(t, s, maps.Clone(g))
	w.eventually("a@1=1")
	if got := w.taken(); got != "create b, delete , delete " {
		t.Errorf("calls: %s", got)
	}
	s.SetLeader(false)
	save(t, s, good{})
	stop()
	if got := w.kept(); got != "a@1=1" {
		t.Errorf("after the leadership was lost: %s", got)
	}
	loaded, err := w.store().Load()
	if err != nil || show(loaded) != "a=1" || len(loaded[key("a")]) != 2 || loaded[key("a")][1].Hash != variant("a", 0, "0").Hash {
		t.Errorf("loaded %s, %v", show(loaded), err)
	}
	if w.log.String() != "" {
		t.Errorf("logged %s", w.log.String())
	}
}

func dataCannotBeChanged(t *testing.T, k *cluster.Cluster) {
	w := newWorld(t, k, "immutable")
	s := w.store()
	s.SetLeader(true)
	save(t, s, good{key("a"): {variant("a", 1, "1")}})
	w.run(s)()
	var list appsv1.ControllerRevisionList
	if err := w.client.List(t.Context(), &list, client.InNamespace(w.namespace)); err != nil || len(list.Items) != 1 {
		t.Fatalf("%d objects, %v", len(list.Items), err)
	}
	o := &list.Items[0]
	o.Data.Raw = []byte(`{"version":1}`)
	if err := w.client.Update(t.Context(), o); !apierrors.IsInvalid(err) {
		t.Errorf("got %v; if this works, an update is simpler than a new object", err)
	}
}

func theRestIsWritten(t *testing.T, k *cluster.Cluster) {
	w := newWorld(t, k, "end")
	s := w.store()
	stop := w.run(s)
	s.SetLeader(true)
	save(t, s, good{key("a"): {variant("a", 1, "1")}})
	stop()
	if got := w.kept(); got != "a@1=1" {
		t.Errorf("kept %s", got)
	}
}

func tooLarge(t *testing.T, k *cluster.Cluster) {
	w := newWorld(t, k, "large")
	s := w.store()
	w.run(s)
	s.SetLeader(true)
	noise := make([]byte, 1<<20)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	packable := strings.Repeat(`{"user":"somebody"},`, 200_000) // 4 MB, and 5 MB in base64
	g := good{key("a"): {variant("a", 1, "1")}, key("b"): {variant("b", 1, "1")}, key("c"): {variant("c", 1, packable)}}
	save(t, s, g)
	w.eventually("a@1=1 b@1=1 c@1=" + packable)
	g = maps.Clone(g)
	g[key("a")], g[key("b")] = []*build.Variant{variant("a", 2, string(noise))}, []*build.Variant{variant("b", 2, "2")}
	if err := s.Save(g); err == nil || !strings.HasPrefix(err.Error(), "last good configuration of WasmPlugin shop/a has ") {
		t.Errorf("got %v", err)
	}
	w.eventually("a@1=1 b@2=2 c@1=" + packable) // the older one of a is better than none
	save(t, s, maps.Clone(g))                   // said once
}

func brokenObjects(t *testing.T, k *cluster.Cluster) {
	w := newWorld(t, k, "broken")
	broken := newObject(w.namespace, "wasmpoint-old", key("a"), 5, []byte(`{"version":9}`))
	nameless := newObject(w.namespace, "wasmpoint-nameless", key("x"), 1, []byte(`{}`))
	nameless.Annotations = nil
	_, data, err := encode(key("b"), []*build.Variant{variant("b", 1, "1")})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []client.Object{broken, nameless, newObject(w.namespace, "wasmpoint-good", key("b"), 3, data)} {
		if err := w.client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	s := w.store()
	loaded, err := s.Load()
	if err != nil || show(loaded) != "b=1" {
		t.Fatalf("loaded %s, %v", show(loaded), err)
	}
	for _, want := range []string{
		"ControllerRevision broken/wasmpoint-old (WasmPlugin shop/a) cannot be read and is left alone: its format is 9, and this wasmpoint reads format 1",
		"ControllerRevision broken/wasmpoint-nameless () cannot be read and is left alone: ",
	} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("logged %s, want %s", w.log.String(), want)
		}
	}
	w.run(s)
	s.SetLeader(true)
	save(t, s, good{key("b"): {variant("b", 2, "2")}})
	w.eventually("@1=broken a@5=broken b@4=2")
	save(t, s, good{key("b"): {variant("b", 2, "2")}, key("a"): {variant("a", 1, "1")}})
	w.eventually("@1=broken a@6=1 b@4=2")
}

func twoObjects(t *testing.T, k *cluster.Cluster) {
	w := newWorld(t, k, "two")
	for revision, config := range map[int64]string{4: "old", 5: "new"} { // a crash came between create and delete
		name, data, err := encode(key("a"), []*build.Variant{variant("a", revision, config)})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.client.Create(t.Context(), newObject(w.namespace, name, key("a"), revision, data)); err != nil {
			t.Fatal(err)
		}
	}
	s := w.store()
	loaded, err := s.Load()
	if err != nil || show(loaded) != "a=new" {
		t.Fatalf("loaded %s, %v", show(loaded), err)
	}
	w.run(s)
	save(t, s, loaded)
	s.SetLeader(true)
	w.eventually("a@5=new")
}

func TestFollowersHearOfWhatTheLeaderWrote(t *testing.T) {
	k := cluster.Start(t)
	w := newWorld(t, k, "follow")
	leader, follower := w.store(), w.store()
	stop := w.run(leader)
	leader.SetLeader(true)
	save(t, leader, good{key("a"): {variant("a", 1, "1")}})
	w.eventually("a@1=1")
	if loaded, err := follower.Load(); err != nil || show(loaded) != "a=1" {
		t.Fatalf("loaded %s, %v", show(loaded), err)
	}

	type news struct {
		to   string
		good good
	}
	heard := make(chan news, 100)
	for name, s := range map[string]*Store{"leader": leader, "follower": follower} {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			s.Watch(ctx, func(g good) { heard <- news{name, g} })
			close(done)
		}()
		t.Cleanup(func() { cancel(); <-done })
	}
	next := func(want string) {
		t.Helper()
		select {
		case n := <-heard:
			if got := n.to + " " + show(n.good); got != want {
				t.Errorf("heard %s, want %s", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("heard nothing, want %s", want)
		}
	}
	a2 := []*build.Variant{variant("a", 2, "2"), variant("a", 1, "1")}
	save(t, leader, good{key("a"): a2})
	next("follower a=2") // and nothing of a=1, which it loaded
	save(t, leader, good{key("a"): a2, key("b"): {variant("b", 1, "1")}})
	next("follower b=1")

	k.StopAPIServer()
	save(t, leader, good{key("a"): a2, key("b"): {variant("b", 2, "2")}})
	k.StartAPIServer()
	next("follower b=2") // both came over the fault

	stop()
	leader.SetLeader(false)
	save(t, follower, good{key("a"): a2, key("b"): {variant("b", 3, "3")}})
	w.run(follower)
	follower.SetLeader(true)
	next("leader b=3") // the roles changed; what each wrote itself it is not told
	w.eventually("a@2=2 b@3=3")
	if len(heard) > 0 {
		n := <-heard
		t.Errorf("heard also: %s %s", n.to, show(n.good))
	}
}
