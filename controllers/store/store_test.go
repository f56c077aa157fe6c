package store

import (
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func nn(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func plugin(namespace, name string, targets ...model.TargetRef) *model.Plugin {
	key := model.Key{Kind: extv1.KindWasmPlugin, Namespace: namespace, Name: name}
	return &model.Plugin{Key: key, Targets: targets}
}

func putAll(t *testing.T, s *Store, objects ...any) {
	t.Helper()
	for _, object := range objects {
		if _, _, err := s.Put(object); err != nil {
			t.Fatal(err)
		}
	}
}

// everything is one object of every kind, in namespace a with name x.
func everything() []any {
	return []any{
		plugin("a", "x"), &gatewayv1.Gateway{ObjectMeta: meta("a", "x")},
		&gatewayv1.GatewayClass{ObjectMeta: meta("", "x")}, &gatewayv1.HTTPRoute{ObjectMeta: meta("a", "x")},
		&gatewayv1.ReferenceGrant{ObjectMeta: meta("a", "x")}, &corev1.Service{ObjectMeta: meta("a", "x")},
		&networkingv1.ServiceEntry{ObjectMeta: meta("a", "x")}, &corev1.Namespace{ObjectMeta: meta("", "x")},
		&corev1.Secret{ObjectMeta: meta("a", "x")}, &discoveryv1.EndpointSlice{ObjectMeta: meta("a", "x")},
	}
}

func TestEveryKindIsStoredOnceAndDeleted(t *testing.T) {
	s := New()
	for _, object := range everything() {
		old, changed, err := s.Put(object)
		if old != nil || !changed || err != nil {
			t.Errorf("first put of %T: %v %v %v", object, old, changed, err)
		}
		if old, changed, _ = s.Put(object); old != object || changed {
			t.Errorf("second put of %T: %v %v", object, old, changed)
		}
	}
	counts := func() []int {
		return []int{
			len(s.Plugins()), len(s.Gateways()), len(s.GatewayClasses()), len(s.HTTPRoutes()), len(s.ReferenceGrants()),
			len(s.Services()), len(s.ServiceEntries()), len(s.Namespaces()), len(s.Secrets()), len(s.EndpointSlices()),
		}
	}
	if got := counts(); slices.Contains(got, 0) || slices.Max(got) != 1 {
		t.Errorf("counts are %v", got)
	}
	for _, object := range everything() {
		ref, err := RefOf(object)
		if err != nil {
			t.Fatal(err)
		}
		if old := s.Delete(ref); old == nil {
			t.Errorf("%s was not there", ref)
		}
		if old := s.Delete(ref); old != nil {
			t.Errorf("%s was deleted twice", ref)
		}
	}
	if got := counts(); slices.Max(got) != 0 {
		t.Errorf("after deletion counts are %v", got)
	}
}

func TestAnUnknownTypeIsAnErrorThatNamesIt(t *testing.T) {
	_, changed, err := New().Put(&corev1.Pod{})
	if changed || err == nil || err.Error() != "the store takes no objects of type *v1.Pod" {
		t.Errorf("got %v %v", changed, err)
	}
}

func TestTwoKindsOfPluginsMayShareAName(t *testing.T) {
	s := New()
	other := plugin("a", "x")
	other.Kind = extv1.KindTrafficExtension
	putAll(t, s, plugin("a", "x"), other)
	if got := s.PluginsIn("a"); len(got) != 2 || got[0] != other {
		t.Errorf("got %v, want the TrafficExtension before the WasmPlugin", got)
	}
}

func TestAPutThatChangesNothingForTheRulesSaysSo(t *testing.T) {
	for _, c := range []struct {
		why         string
		first, next any
		changed     bool
	}{
		{"an equal plugin", plugin("a", "x"), plugin("a", "x"), false},
		{"a plugin of another generation", plugin("a", "x"), &model.Plugin{Key: plugin("a", "x").Key, Generation: 2}, true},
		{
			"the status of a Gateway", &gatewayv1.Gateway{ObjectMeta: meta("a", "x")},
			&gatewayv1.Gateway{
				ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "x", ResourceVersion: "2", ManagedFields: []metav1.ManagedFieldsEntry{{}}},
				Status:     gatewayv1.GatewayStatus{Conditions: []metav1.Condition{{Type: "Accepted"}}},
			}, false,
		},
		{
			"a label", &corev1.Service{ObjectMeta: meta("a", "x")},
			&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "x", Labels: map[string]string{"a": "b"}}}, true,
		},
		{
			"an annotation", &corev1.Service{ObjectMeta: meta("a", "x")},
			&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "x", Annotations: map[string]string{"a": "b"}}}, true,
		},
		{
			"no labels and empty labels", &corev1.Service{ObjectMeta: meta("a", "x")},
			&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "x", Labels: map[string]string{}}}, false,
		},
		{
			"the spec", &gatewayv1.Gateway{ObjectMeta: meta("a", "x")},
			&gatewayv1.Gateway{ObjectMeta: meta("a", "x"), Spec: gatewayv1.GatewaySpec{GatewayClassName: "c"}}, true,
		},
		{
			"the data of a Secret", &corev1.Secret{ObjectMeta: meta("a", "x")},
			&corev1.Secret{ObjectMeta: meta("a", "x"), Data: map[string][]byte{"a": nil}}, true,
		},
		{
			"the change stamp of a slice", &discoveryv1.EndpointSlice{ObjectMeta: meta("a", "x")},
			&discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "x", Annotations: map[string]string{"a": "b"}}}, false,
		},
		{
			"the endpoints of a slice", &discoveryv1.EndpointSlice{ObjectMeta: meta("a", "x")},
			&discoveryv1.EndpointSlice{ObjectMeta: meta("a", "x"), Endpoints: []discoveryv1.Endpoint{{}}}, true,
		},
	} {
		s := New()
		putAll(t, s, c.first)
		if old, changed, _ := s.Put(c.next); changed != c.changed || old != c.first {
			t.Errorf("%s: changed is %v", c.why, changed)
		}
	}
}

func TestTheNewestObjectIsKeptButAnEqualPluginKeepsItsPointer(t *testing.T) {
	s := New()
	first, second := &gatewayv1.Gateway{ObjectMeta: meta("a", "x")}, &gatewayv1.Gateway{ObjectMeta: meta("a", "x")}
	p := plugin("a", "x")
	putAll(t, s, first, second, p, plugin("a", "x"))
	if s.Gateway(nn("a", "x")) != second || s.Gateways()[0] != second {
		t.Error("the older Gateway is kept")
	}
	if s.Plugin(p.Key) != p {
		t.Error("the equal plugin took the place of the older one")
	}
}

func TestListsAreSortedAndStayAsTheyWere(t *testing.T) {
	s := New()
	want := []string{"a/x", "a/y", "b/x", "b/y"}
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(len(want)) {
		putAll(t, s, &corev1.Service{ObjectMeta: meta(want[i][:1], want[i][2:])})
	}
	before := s.Services()
	s.Delete(Ref{KindService, nn("a", "y")})
	putAll(t, s, &corev1.Service{ObjectMeta: meta("a", "a")}, &corev1.Service{ObjectMeta: meta("b", "x")})
	var got []string
	for _, service := range before {
		got = append(got, service.Namespace+"/"+service.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the earlier list is now %v", got)
	}
	if len(s.Services()) != 4 || s.Services()[0].Name != "a" {
		t.Errorf("the later list is %v", s.Services())
	}
}
