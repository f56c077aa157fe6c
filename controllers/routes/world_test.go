package routes

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/wasmpoint/wasmpoint/controllers/store"
)

var edge = types.NamespacedName{Namespace: "shop", Name: "edge"}

// world reads manifests into a store, which is the View of the rules.
func world(t *testing.T, manifests string) *store.Store {
	t.Helper()
	s := store.New()
	for _, doc := range strings.Split(manifests, "\n---\n") {
		var kind struct{ Kind string }
		if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		object := map[string]any{
			"Gateway": &gatewayv1.Gateway{}, "HTTPRoute": &gatewayv1.HTTPRoute{}, "ReferenceGrant": &gatewayv1.ReferenceGrant{},
			"Service": &corev1.Service{}, "Secret": &corev1.Secret{}, "Namespace": &corev1.Namespace{},
		}[kind.Kind]
		if err := yaml.UnmarshalStrict([]byte(doc), object); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		if _, _, err := s.Put(object); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func compile(s *store.Store) *Result {
	return Compile(Input{Gateway: s.Gateway(edge), Routes: s.RoutesOfGateway(edge)}, s)
}

// gatewayWith is a Gateway with the listeners, each in YAML's flow form.
func gatewayWith(listeners ...string) string {
	return "kind: Gateway\nmetadata: {name: edge, namespace: shop, generation: 3}\nspec:\n  gatewayClassName: wasmpoint\n  listeners:\n  - " + strings.Join(listeners, "\n  - ")
}

// routeWith is an HTTPRoute of namespace shop with the lines as its spec.
func routeWith(name string, spec ...string) string {
	return "kind: HTTPRoute\nmetadata: {name: " + name + ", namespace: shop, generation: 2}\nspec:\n  " + strings.Join(spec, "\n  ")
}

const (
	plain  = "{name: all, port: 80, protocol: HTTP}"
	parent = "parentRefs: [{name: edge}]"
	shop   = "kind: Service\nmetadata: {name: one, namespace: shop}\nspec: {ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}"
)

// says gives "Type=Status Reason: Message" of the condition.
func says(conditions []metav1.Condition, kind string) string {
	for _, c := range conditions {
		if c.Type == kind {
			return fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
		}
	}
	return kind + " is missing"
}
