package attach

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// world makes the rules over a store that holds these objects.
func world(t testing.TB, objects ...any) Rules {
	t.Helper()
	s := store.New()
	for _, object := range objects {
		if _, _, err := s.Put(object); err != nil {
			t.Fatal(err)
		}
	}
	return Rules{View: s}
}

// name reads "namespace/name"; a bare name is in namespace default.
func name(text string) types.NamespacedName {
	namespace, name, ok := strings.Cut(text, "/")
	if !ok {
		return types.NamespacedName{Namespace: "default", Name: text}
	}
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func meta(text string) metav1.ObjectMeta {
	n := name(text)
	return metav1.ObjectMeta{Namespace: n.Namespace, Name: n.Name, Labels: map[string]string{}, Annotations: map[string]string{}}
}

// gateway makes a Gateway from listeners like "http:80:HTTP".
func gateway(text, class string, listeners ...string) *gatewayv1.Gateway {
	g := &gatewayv1.Gateway{ObjectMeta: meta(text)}
	g.Spec.GatewayClassName = gatewayv1.ObjectName(class)
	for _, l := range listeners {
		parts := strings.SplitN(l, ":", 3)
		var port int32
		if _, err := fmt.Sscan(parts[1], &port); err != nil {
			panic(err)
		}
		g.Spec.Listeners = append(g.Spec.Listeners, gatewayv1.Listener{
			Name: gatewayv1.SectionName(parts[0]), Port: port, Protocol: gatewayv1.ProtocolType(parts[2]),
		})
	}
	return g
}

func ingress(text string) *gatewayv1.Gateway {
	return gateway(text, extv1.ClassIngress, "http:80:HTTP")
}

func waypoint(text string) *gatewayv1.Gateway {
	return gateway(text, extv1.ClassWaypoint, "mesh:15008:HBONE")
}

func class(name string) *gatewayv1.GatewayClass {
	return &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{}, Annotations: map[string]string{},
	}}
}

func namespace(name string, labels ...string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: pairs(labels)}}
}

// svc makes a Service from ports like "http:80" (the protocol comes from the name); labels are "key=value".
func svc(text string, ports []string, labels ...string) *corev1.Service {
	s := &corev1.Service{ObjectMeta: meta(text)}
	s.Labels = pairs(labels)
	for _, p := range ports {
		var number int32
		portName, numberText, _ := strings.Cut(p, ":")
		if _, err := fmt.Sscan(numberText, &number); err != nil {
			panic(err)
		}
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: portName, Port: number})
	}
	return s
}

func entry(text string, ports []string, labels ...string) *networkingv1.ServiceEntry {
	s := svc(text, ports, labels...)
	e := &networkingv1.ServiceEntry{ObjectMeta: s.ObjectMeta}
	for _, p := range s.Spec.Ports {
		protocol, _, _ := strings.Cut(p.Name, "-")
		e.Spec.Ports = append(e.Spec.Ports, networkingv1.ServicePort{Number: uint32(p.Port), Name: p.Name, Protocol: protocol})
	}
	return e
}

func pairs(labels []string) map[string]string {
	m := map[string]string{}
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		m[key] = value
	}
	return m
}

func uses(waypoint string) string { return extv1.LabelUseWaypoint + "=" + waypoint }

// plugin makes an HTTP WasmPlugin; targets are "Kind:name" in the plugin's namespace.
func plugin(text string, targets ...string) *model.Plugin {
	n := name(text)
	p := &model.Plugin{
		Key:  model.Key{Kind: extv1.KindWasmPlugin, Namespace: n.Namespace, Name: n.Name},
		Type: model.TypeHTTP, Phase: model.PhaseUnspecified, FailStrategy: model.FailClose,
		Wasm: &model.Wasm{URL: "oci://example.com/" + n.Name},
	}
	for _, target := range targets {
		p.Targets = append(p.Targets, targetOf(n.Namespace, target))
	}
	return p
}

func targetOf(namespace, text string) model.TargetRef {
	kind, name, _ := strings.Cut(text, ":")
	switch kind {
	case "GatewayClass":
		return ClassTarget(name)
	case "Gateway":
		return GatewayTarget(types.NamespacedName{Namespace: namespace, Name: name})
	}
	return ServiceTarget(model.ServiceKey{Kind: kind, Namespace: namespace, Name: name})
}

func with[T any](object *T, change func(*T)) *T {
	change(object)
	return object
}

func network(p *model.Plugin) *model.Plugin { p.Type = model.TypeNetwork; return p }

func prioritised(p *model.Plugin, priority int32) *model.Plugin { p.Priority = &priority; return p }

func matching(p *model.Plugin, mode model.Mode, ports ...int32) *model.Plugin {
	p.Match = append(p.Match, model.TrafficSelector{Mode: mode, Ports: ports})
	return p
}

func phased(p *model.Plugin, phase model.Phase) *model.Plugin { p.Phase = phase; return p }

func aged(p *model.Plugin, seconds int) *model.Plugin {
	p.Created = time.Date(2026, 1, 1, 0, 0, seconds, 0, time.UTC)
	return p
}

// show renders every place as "gateway[ service]:port[listeners] HTTP …; network …", for comparison with a literal.
func show(r Rules) []string {
	var lines []string
	for _, g := range r.Full().Gateways {
		for _, p := range g.Places {
			line := g.Name.String()
			if !p.Place.Service.IsZero() {
				line += " " + p.Place.Service.Kind + " " + p.Place.Service.Namespace + "/" + p.Place.Service.Name
			}
			line += fmt.Sprintf(":%d", p.Place.Port)
			if p.Place.HTTP {
				line += " http[" + names(p.Plugins.HTTP) + "]"
			}
			if p.Place.Network {
				line += " network[" + names(p.Plugins.Network) + "]"
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func names(phases [4][]*model.Plugin) string {
	var all []string
	for _, phase := range phases {
		for _, p := range phase {
			all = append(all, p.Namespace+"/"+p.Name)
		}
	}
	return strings.Join(all, " ")
}

func wantPlaces(t *testing.T, r Rules, want ...string) {
	t.Helper()
	if got := show(r); !slices.Equal(got, want) {
		t.Errorf("places are\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// wantVerdict checks the reason and the exact message of a plugin's only verdict.
func wantVerdict(t *testing.T, r Rules, p *model.Plugin, reason, message string) {
	t.Helper()
	got := r.Verdicts(p)
	if len(got) != 1 {
		t.Fatalf("%d verdicts, want 1: %+v", len(got), got)
	}
	if got[0].Reason != reason || got[0].Message != message {
		t.Errorf("got  %s: %s\nwant %s: %s", got[0].Reason, got[0].Message, reason, message)
	}
	if accepted := reason == extv1.ReasonAccepted; got[0].Accepted != accepted || (len(got[0].Scopes) > 0) != accepted {
		t.Errorf("accepted is %v with scopes %v", got[0].Accepted, got[0].Scopes)
	}
}

func wantReason(t *testing.T, r Rules, p *model.Plugin, reasons ...string) {
	t.Helper()
	var got []string
	for _, v := range r.Verdicts(p) {
		got = append(got, v.Reason)
	}
	if !slices.Equal(got, reasons) {
		t.Errorf("reasons are %v, want %v", got, reasons)
	}
}

func asJSON(t testing.TB, value any) string {
	t.Helper()
	data, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
