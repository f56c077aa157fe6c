package publish

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/controllers/routes"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

var onGateways = map[string]func(*rig){
	"nothing is said of a generation that the provisioner did not look at": unprovisioned,
	"what was said of a Gateway is taken back once":                        left,
}

// provisions is what became of the objects of Gateways: the test says it.
type provisions struct {
	mu     sync.Mutex
	states map[types.NamespacedName]status.Provision
}

func (p *provisions) State(gateway types.NamespacedName) (status.Provision, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, known := p.states[gateway]
	return s, known
}

func (*provisions) ClassState(string) (status.ClassInput, bool) { return status.ClassInput{}, false }

func (p *provisions) set(gateway types.NamespacedName, s status.Provision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states[gateway] = s
}

// leadGateways starts a publisher of Gateways' status too.
func (r *rig) leadGateways() (p *provisions, end func()) {
	p = &provisions{states: map[types.NamespacedName]status.Provision{}}
	return p, r.lead(func(o *Options) { o.Provisions = p })
}

// gatewayIs sets what the engine knows of a Gateway as it is in the API server now, and marks it; ours tells whether its class is.
func (r *rig) gatewayIs(name string, ours bool) *gatewayv1.Gateway {
	r.t.Helper()
	gw := r.gateway(name)
	in := status.GatewayInput{Generation: gw.Generation, Done: true}
	if ours {
		in.Routes = routes.Compile(routes.Input{Gateway: gw}, store.New())
	}
	r.world.mu.Lock()
	r.world.gateways[client.ObjectKeyFromObject(gw)] = in
	r.world.mu.Unlock()
	r.Dirty(status.Dirty{Gateways: []types.NamespacedName{client.ObjectKeyFromObject(gw)}})
	return gw
}

func (r *rig) gateway(name string) *gatewayv1.Gateway {
	r.t.Helper()
	gw := &gatewayv1.Gateway{}
	if err := r.Client().Get(context.Background(), client.ObjectKey{Namespace: "default", Name: name}, gw); err != nil {
		r.t.Fatal(err)
	}
	return gw
}

// gatewaySays waits for "Type=Status Reason (generation)" among the conditions of a Gateway.
func (r *rig) gatewaySays(name, want string) {
	r.t.Helper()
	r.eventually("Gateway "+name, func() (string, string) {
		got := saidOf(r.gateway(name))
		if strings.Contains(got, want) {
			return want, want
		}
		return got, want
	})
}

func saidOf(gw *gatewayv1.Gateway) string {
	var out []string
	for _, c := range gw.Status.Conditions {
		out = append(out, fmt.Sprintf("%s=%s %s (%d)", c.Type, c.Status, c.Reason, c.ObservedGeneration))
	}
	return strings.Join(out, ", ")
}

func unprovisioned(r *rig) {
	p, end := r.leadGateways()
	defer end()
	ip := gatewayv1.IPAddressType
	looked := status.Provision{Generation: 1, Managed: true, Addresses: []gatewayv1.GatewayStatusAddress{{Type: &ip, Value: "10.0.0.1"}}}
	for _, name := range []string{"edited", "marker"} {
		r.Apply(gateway(name))
		p.set(types.NamespacedName{Namespace: "default", Name: name}, looked)
		r.gatewayIs(name, true)
		r.gatewaySays(name, "Accepted=True Accepted (1)")
	}
	edit := func(name string) {
		r.t.Helper()
		gw := r.gateway(name)
		gw.Spec.Listeners[0].Port = 81
		if err := r.Client().Update(context.Background(), gw); err != nil {
			r.t.Fatal(err)
		}
		r.gatewayIs(name, true)
	}
	edit("edited")
	looked.Generation = 2
	p.set(types.NamespacedName{Namespace: "default", Name: "marker"}, looked)
	edit("marker")
	r.gatewaySays("marker", "Accepted=True Accepted (2)")
	r.gatewayIs("edited", true)
	edited := types.NamespacedName{Namespace: "default", Name: "edited"}
	if got := saidOf(r.gateway("edited")); !strings.Contains(got, "Accepted=True Accepted (1)") {
		r.t.Errorf("before its parameters were looked at, the edit is said to be %s", got)
	}
	looked.Invalid = "wrong parameters"
	p.set(edited, looked)
	r.gatewayIs("edited", true)
	r.gatewaySays("edited", "Accepted=False InvalidParameters (2)")
}

func left(r *rig) {
	p, end := r.leadGateways()
	defer end()
	r.Apply(gateway("left"))
	name := types.NamespacedName{Namespace: "default", Name: "left"}
	p.set(name, status.Provision{Generation: 1})
	r.gatewayIs("left", true)
	r.gatewaySays("left", "Accepted=True Accepted (1)")
	r.gatewayIs("left", false)
	r.eventually("it is taken back, and nothing of the status is ours", func() (string, string) {
		gw := r.gateway("left")
		owners := ""
		for _, m := range gw.ManagedFields {
			if m.Manager == StatusManager {
				owners += " " + m.FieldsV1.GetRawString()
			}
		}
		// Gateway API's CRD has defaults for these; they are not ours to remove.
		return saidOf(gw) + owners, "Accepted=Unknown Pending (0), Programmed=Unknown Pending (0)"
	})
	r.quiet(status.Dirty{Gateways: []types.NamespacedName{name}})
}

func TestAListenerInTheStatusThatAnotherManagerOwnsIsNotOursToWrite(t *testing.T) {
	ours := gatewayv1.ListenerStatus{Name: "http", SupportedKinds: []gatewayv1.RouteGroupKind{}, Conditions: []metav1.Condition{}}
	theirs := ours
	theirs.Name = "theirs"
	old := gatewayv1.GatewayStatus{Listeners: []gatewayv1.ListenerStatus{theirs, ours}}
	next := gatewayv1.GatewayStatus{Listeners: []gatewayv1.ListenerStatus{ours}}
	if !sameGateway(old, next) {
		t.Error("an entry of another manager would be written over and over")
	}
	next.Listeners[0].AttachedRoutes = 1
	if sameGateway(old, next) {
		t.Error("a change of ours is not noticed")
	}
}
