package engine

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

func TestALastGoodScriptDoesNotFollowItsPluginWhereScriptsMayNotRun(t *testing.T) {
	w := newWorld(t)
	infra := gateway("infra", "way", extv1.ClassWaypoint, listener("mesh", 15008, "HBONE"))
	infra.Spec.Listeners[0].AllowedRoutes = allowFrom("All")
	use := map[string]string{"istio.io/use-waypoint": "way", "istio.io/use-waypoint-namespace": "infra"}
	web := service("default", "web", use, port("http", 80))
	script := plugin("p", "", 1, target)
	script.Wasm, script.Lua = nil, "-- reads the proxy's environment"
	w.apply(ingress("gw"), infra, web, script)
	w.runs()
	w.wantEntry("at its own gateway", false, "")

	w.apply(plugin("p", one, 2, attach.ServiceTarget(model.ServiceKey{Kind: "Service", Namespace: "default", Name: "web"})))
	w.wait(time.Minute)
	scope := model.Scope{
		Gateway: types.NamespacedName{Namespace: "infra", Name: "way"}, Port: 80,
		Service: model.ServiceKey{Kind: "Service", Namespace: "default", Name: "web"},
	}
	slot := w.hub.Group(scope.Gateway).Slot(names.Slot(scope, model.PhaseAuthn))
	if slot == nil || len(slot.Entries) != 1 {
		t.Fatalf("slot %+v, want the plugin in it", slot)
	}
	if n := len(slot.Entries[0].Variants); n != 0 {
		t.Errorf("%d variants may stand in somebody else's proxy while the module is missing, want none: the script is not permitted there", n)
	}
}

func TestALastGoodVariantOfAnotherTypeDoesNotStandIn(t *testing.T) {
	w := newWorld(t)
	w.apply(ingress("gw"), plugin("p", one, 1, target))
	w.module(one, "d1", "")
	w.runs()
	network := plugin("p", two, 2, target)
	network.Type = model.TypeNetwork
	w.apply(network)
	slot := w.hub.Group(named2("gw")).Slot(names.NetworkSlot(model.Scope{Gateway: named2("gw"), Port: 80}, 0))
	if slot == nil || len(slot.Entries) != 1 || len(slot.Entries[0].Variants) != 0 {
		t.Errorf("network slot %+v, want the plugin without the HTTP variant", slot)
	}
}

func TestAPluginWhoseSignatureWasAskedForDoesNotRunUnchecked(t *testing.T) {
	w := newWorld(t)
	p := plugin("p", one, 1, target)
	p.Wasm.VerificationKey = "a key"
	w.apply(ingress("gw"), p)
	w.module(one, "d1", "")
	w.wantEntry("its fail strategy acts at once", false)
	if got := w.plugins[p.Key].module.Reason; got != extv1.ReasonVerificationNotSupported {
		t.Errorf("reason %s", got)
	}
}

func TestAPullSecretIsUsedAndNeverLeftOut(t *testing.T) {
	w := newWorld(t)
	p := plugin("p", one, 1, target)
	p.Wasm.PullSecret = "pull"
	w.apply(ingress("gw"), p)
	if got := w.plugins[p.Key].module; got.Reason != extv1.ReasonPullSecretNotFound || got.Ready {
		t.Fatalf("without the Secret: %+v", got)
	}
	s := &corev1.Secret{ObjectMeta: meta("default", "pull"), Type: corev1.SecretTypeOpaque}
	w.apply(s)
	if got := w.plugins[p.Key].module.Err; got != `imagePullSecret default/pull has type "Opaque"; it needs type kubernetes.io/dockerconfigjson and the key .dockerconfigjson` {
		t.Errorf("with a Secret of another type: %s", got)
	}
	s = s.DeepCopy()
	s.Type, s.Data = corev1.SecretTypeDockerConfigJson, map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{}}`)}
	w.apply(s)
	src, refused := w.source(p)
	if refused != nil || !slices.Equal(src.DockerConfig, s.Data[corev1.DockerConfigJsonKey]) {
		t.Errorf("with the Secret: %+v, refused %+v", src, refused)
	}
	w.module(one, "d1", "")
	w.wantEntry("the module comes", false, "d1")
}

func allowFrom(from string) *gatewayv1.AllowedRoutes {
	f := gatewayv1.FromNamespaces(from)
	return &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: &f}}
}
