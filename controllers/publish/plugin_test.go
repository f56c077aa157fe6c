package publish

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// onPlugins and onTargets run on one API server. TrafficExtension has a CRD like Istio's there.
var onPlugins = map[string]func(*rig){
	"a status is written once, and its own write causes no other":                       writtenOnce,
	"what others wrote stays, under our CRD":                                            func(r *rig) { othersStay(r, ext.KindWasmPlugin) },
	"what others wrote stays, under a CRD that does not know the fields":                func(r *rig) { othersStay(r, ext.KindTrafficExtension) },
	"a conflict is met by reading again":                                                conflict,
	"nothing is said of a generation that is not known yet":                             laterGeneration,
	"a count that changes all the time is written when it rests":                        storm,
	"a transition is an Event":                                                          transitions,
	"a plugin that is deleted is forgotten":                                             deleted,
	"a new leader looks at everything, also at what nobody marked":                      newLeader,
	"kubectl's columns show targets, phase, answers, module, and in wide form the rest": columns,
}

func writtenOnce(r *rig) {
	defer r.lead(nil)()
	k := r.create(ext.KindWasmPlugin, "once")
	r.say(k, 1, 3, 3)
	r.programmed(k, "True Programmed: 3/3 proxies run it")
	r.quiet(status.Dirty{Plugins: []model.Key{k}})
	if n := r.Counters().Writes.Load(); n != 1 {
		r.t.Errorf("%d writes, want 1", n)
	}
	u := r.plugin(k)
	if got := condition(u, "Ready"); got != "True Ready: 3/3 proxies run it" {
		r.t.Errorf("Ready is %q", got)
	}
	if g, _, err := unstructured.NestedInt64(u.Object, "status", "observedGeneration"); err != nil || g != 1 {
		r.t.Errorf("observedGeneration is %d, %v", g, err)
	}
}

func othersStay(r *rig, kind string) {
	defer r.lead(nil)()
	k := r.create(kind, "others")
	r.patchStatus(k, `{"status":{
		"later":{"a":[1,2.5,"x"]},
		"ancestors":[{"ancestorRef":{"group":"gateway.networking.k8s.io","kind":"Gateway","name":"gw","namespace":"default"},"controllerName":"example.com/other",
			"extra":{"b":true},"conditions":[{"type":"Accepted","status":"False","reason":"No","message":"","lastTransitionTime":"2026-01-02T03:04:05Z","weight":1.5}]}],
		"conditions":[{"type":"Reconciled","status":"True","observedGeneration":"7","lastProbeTime":"2026-01-02T03:04:05Z","lastTransitionTime":"2026-01-02T03:04:05.123Z"}]}}`)
	parts := func() string {
		u := r.plugin(k)
		ancestors, _, _ := unstructured.NestedSlice(u.Object, "status", "ancestors")
		conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
		later, _, _ := unstructured.NestedFieldNoCopy(u.Object, "status", "later")
		return text(r.t, []any{ancestors[0], conditions[0], later})
	}
	before := parts()
	for i, want := range []string{"0/2 proxies run it", "1/2 proxies run it"} {
		r.say(k, 1, i, 2)
		r.programmed(k, "False Reconciling: "+want)
	}
	if got := parts(); got != before {
		r.t.Errorf("others' parts became\n%s\nthey were\n%s", got, before)
	}
	if kind == ext.KindTrafficExtension && !strings.Contains(before, `"extra":{"b":true}`) {
		r.t.Errorf("the test's unknown field was not stored: %s", before)
	}
	ancestors, _, _ := unstructured.NestedSlice(r.plugin(k).Object, "status", "ancestors")
	if len(ancestors) != 2 {
		r.t.Errorf("%d ancestors, want the other's and ours: %s", len(ancestors), text(r.t, ancestors))
	}
	r.quiet(status.Dirty{Plugins: []model.Key{k}})
}

func conflict(r *rig) {
	k := r.create(ext.KindWasmPlugin, "conflict")
	var disturbed atomic.Bool
	config, err := client.NewWithWatch(r.Config(), client.Options{Scheme: r.Client().Scheme()})
	if err != nil {
		r.t.Fatal(err)
	}
	between := interceptor.NewClient(config, interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			if obj.GetName() == k.Name && disturbed.CompareAndSwap(false, true) {
				r.patchStatus(k, `{"status":{"conditions":[{"type":"example.com/Seen","status":"True"}]}}`)
			}
			return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
		},
	})
	defer r.lead(func(o *Options) { o.Client = between })()
	r.say(k, 1, 1, 1)
	r.programmed(k, "True Programmed: 1/1 proxies run it")
	if got := condition(r.plugin(k), "example.com/Seen"); got != "True : " {
		r.t.Errorf("the other writer's condition is %q", got)
	}
	if n := r.Counters().Conflicts.Load(); n != 1 {
		r.t.Errorf("%d conflicts, want 1", n)
	}
}

func laterGeneration(r *rig) {
	defer r.lead(nil)()
	k := r.create(ext.KindWasmPlugin, "later")
	u := r.plugin(k)
	if err := unstructured.SetNestedField(u.Object, int64(5), "spec", "priority"); err != nil {
		r.t.Fatal(err)
	}
	if err := r.Client().Update(context.Background(), u); err != nil {
		r.t.Fatal(err)
	}
	other := r.create(ext.KindWasmPlugin, "behind-later")
	r.say(k, 1, 1, 1)
	r.say(other, 1, 1, 1)
	r.programmed(other, "True Programmed: 1/1 proxies run it")
	if got := condition(r.plugin(k), "Programmed"); got != "" {
		r.t.Errorf("the object is at generation 2, and generation 1 is said to be %q", got)
	}
	r.say(k, 2, 1, 1)
	r.programmed(k, "True Programmed: 1/1 proxies run it")
}

func storm(r *rig) {
	defer r.lead(func(o *Options) { o.Settle, o.MaxDelay = 300*time.Millisecond, 10*time.Second })()
	k := r.create(ext.KindWasmPlugin, "storm")
	for n := range 100 {
		r.say(k, 1, n, 100)
	}
	r.say(k, 1, 100, 100)
	r.programmed(k, "True Programmed: 100/100 proxies run it")
	r.quiet(status.Dirty{Plugins: []model.Key{k}})
	if n := r.Counters().Writes.Load(); n != 1 {
		r.t.Errorf("%d writes, want 1", n)
	}
}

func transitions(r *rig) {
	defer r.lead(nil)()
	k := r.create(ext.KindWasmPlugin, "transitions")
	r.say(k, 1, 0, 2)
	r.programmed(k, "False Reconciling: 0/2 proxies run it")
	r.say(k, 1, 1, 2)
	r.programmed(k, "False Reconciling: 1/2 proxies run it")
	r.say(k, 1, 2, 2)
	r.eventually("Events", func() (string, string) {
		list := &eventsv1.EventList{}
		if err := r.Client().List(context.Background(), list, client.InNamespace("default")); err != nil {
			return err.Error(), ""
		}
		seen := map[string]int{}
		for _, e := range list.Items {
			if e.Regarding.Name == k.Name && e.Regarding.Kind == k.Kind {
				seen[e.Type+" "+e.Reason+": "+e.Note]++
			}
		}
		return fmt.Sprint(seen), fmt.Sprint(map[string]int{
			"Normal Accepted: Accepted is True: attached":                               1,
			"Normal ResolvedRefs: ResolvedRefs is True: module sha256:0123456789abcdef": 1,
			"Normal Programmed: Programmed is True: 2/2 proxies run it":                 1,
		})
	})
}

func deleted(r *rig) {
	defer r.lead(nil)()
	k := r.create(ext.KindWasmPlugin, "deleted")
	r.say(k, 1, 1, 1)
	r.programmed(k, "True Programmed: 1/1 proxies run it")
	if err := r.Client().Delete(context.Background(), r.plugin(k)); err != nil {
		r.t.Fatal(err)
	}
	r.say(k, 1, 0, 1) // the engine is behind
	other := r.create(ext.KindWasmPlugin, "not-deleted")
	r.say(other, 1, 1, 1)
	r.programmed(other, "True Programmed: 1/1 proxies run it")
	if n := r.Counters().Errors.Load(); n != 0 {
		r.t.Errorf("%d errors", n)
	}
}

func newLeader(r *rig) {
	end := r.lead(nil)
	k := r.create(ext.KindTrafficExtension, "leader")
	r.say(k, 1, 1, 2)
	r.programmed(k, "False Reconciling: 1/2 proxies run it")
	end()
	before := r.plugin(k).GetResourceVersion()
	r.say(k, 1, 2, 2) // the mark goes to the old one, which writes no more
	defer r.lead(nil)()
	r.programmed(k, "True Programmed: 2/2 proxies run it")
	if r.plugin(k).GetResourceVersion() == before {
		r.t.Error("not written")
	}
}

func restart(r *rig) {
	defer r.lead(nil)()
	k := r.create(ext.KindWasmPlugin, "restart")
	r.say(k, 1, 1, 2)
	r.programmed(k, "False Reconciling: 1/2 proxies run it")
	r.StopAPIServer()
	r.say(k, 1, 2, 2)
	testbed.Eventually(r.t, limit, "a failed write", func() (bool, string) { return r.Counters().Errors.Load() > 0, "none" })
	r.StartAPIServer()
	r.programmed(k, "True Programmed: 2/2 proxies run it")
}

func columns(r *rig) {
	defer r.lead(nil)()
	k := r.create(ext.KindWasmPlugin, "columns")
	r.say(k, 1, 1, 2)
	r.programmed(k, "False Reconciling: 1/2 proxies run it")
	clients, err := kubernetes.NewForConfig(r.Config())
	if err != nil {
		r.t.Fatal(err)
	}
	table := &metav1.Table{}
	err = clients.RESTClient().Get().AbsPath("/apis/extensions.istio.io/v1alpha1/namespaces/default/wasmplugins/columns").
		SetHeader("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1").Do(context.Background()).Into(table)
	if err != nil || len(table.Rows) != 1 {
		r.t.Fatalf("table: %v, %d rows", err, len(table.Rows))
	}
	var got []string
	for i, c := range table.ColumnDefinitions {
		cell := fmt.Sprint(table.Rows[0].Cells[i])
		if c.Name == "Age" {
			cell = "-"
		}
		got = append(got, fmt.Sprintf("%s/%d=%s", c.Name, c.Priority, cell))
	}
	want := "Name/0=columns Targets/0=Gateway/gw Phase/0=AUTHN Priority/0=<nil> Accepted/0=True Programmed/0=False Module/0=0123456789ab Age/0=- " +
		"URL/1=oci://localhost:5000/a:1 Message/1=1/2 proxies run it"
	if s := strings.Join(got, " "); s != want {
		r.t.Errorf("got  %s\nwant %s", s, want)
	}
}
