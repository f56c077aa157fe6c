package suite

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
)

// Expect is what is expected of one condition. Empty fields are not compared.
type Expect struct {
	Type   string
	Status metav1.ConditionStatus
	Reason string
	// Contains are parts of the message.
	Contains []string
}

// True expects a condition to be true with a message that contains these texts.
func True(kind string, contains ...string) Expect {
	return Expect{Type: kind, Status: metav1.ConditionTrue, Contains: contains}
}

// False expects a condition to be false for a reason, with a message that contains these texts.
func False(kind, reason string, contains ...string) Expect {
	return Expect{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Contains: contains}
}

// missing tells why a list does not meet the expectation for a generation; "" when it does. Generation 0 is not compared.
func (e Expect) missing(list []metav1.Condition, generation int64) string {
	for _, c := range list {
		if c.Type != e.Type {
			continue
		}
		text := fmt.Sprintf("%s is %s/%s for generation %d: %s", c.Type, c.Status, c.Reason, c.ObservedGeneration, c.Message)
		if generation != 0 && c.ObservedGeneration != generation {
			return text + fmt.Sprintf(" (the object has generation %d)", generation)
		}
		if c.Status != e.Status || e.Reason != "" && c.Reason != e.Reason {
			return text + fmt.Sprintf(" (want %s/%s)", e.Status, e.Reason)
		}
		for _, part := range e.Contains {
			if !strings.Contains(c.Message, part) {
				return text + fmt.Sprintf(" (want %q in it)", part)
			}
		}
		return ""
	}
	return "there is no condition " + e.Type
}

// allMissing joins what is not met.
func allMissing(list []metav1.Condition, generation int64, expected []Expect) string {
	var out []string
	for _, e := range expected {
		if why := e.missing(list, generation); why != "" {
			out = append(out, why)
		}
	}
	return strings.Join(out, "; ")
}

// plugin reads a WasmPlugin ("name", "namespace/name") or a TrafficExtension ("te:name") into one form.
func (w *World) plugin(name string) (*ext.WasmPlugin, error) {
	p := &ext.WasmPlugin{}
	if name, is := strings.CutPrefix(name, "te:"); is {
		te := &ext.TrafficExtension{}
		err := w.client.Get(context.Background(), w.of(named(name)), te)
		p.ObjectMeta, p.Status = te.ObjectMeta, te.Status
		return p, err
	}
	return p, w.client.Get(context.Background(), w.of(named(name)), p)
}

// Plugin waits until a plugin's status satisfies a condition, which says why not yet, and gives the plugin.
func (w *World) Plugin(name, what string, why func(*ext.WasmPlugin) string) (p *ext.WasmPlugin) {
	w.t.Helper()
	eventually(w.t, w.Timeouts.Status, "plugin "+name+" "+what, func() (bool, string) {
		var err error
		if p, err = w.plugin(name); err != nil {
			return false, err.Error()
		}
		if text := why(p); text != "" {
			status, _ := json.Marshal(p.Status)
			return false, text + "\nstatus: " + string(status)
		}
		return true, ""
	})
	return p
}

// MustSummarize waits until status.conditions of a plugin are as expected, for its current generation.
func (w *World) MustSummarize(name string, expected ...Expect) *ext.WasmPlugin {
	w.t.Helper()
	return w.Plugin(name, fmt.Sprintf("has the conditions %+v", expected), func(p *ext.WasmPlugin) string {
		return allMissing(ext.MetaConditions(p.Status.Conditions), p.Generation, expected)
	})
}

// MustAncestor waits until our entry of status.ancestors for a target ("Kind/name") is as expected.
func (w *World) MustAncestor(name, target string, expected ...Expect) *ext.WasmPlugin {
	w.t.Helper()
	return w.Plugin(name, fmt.Sprintf("has at %s the conditions %+v", target, expected), func(p *ext.WasmPlugin) string {
		for _, a := range p.Status.Ancestors {
			if a.ControllerName == ext.ControllerName && ancestorName(a) == target {
				return allMissing(a.Conditions, p.Generation, expected)
			}
		}
		return "there is no ancestor " + target
	})
}

func ancestorName(a gatewayv1.PolicyAncestorStatus) string {
	kind := "Gateway"
	if a.AncestorRef.Kind != nil {
		kind = string(*a.AncestorRef.Kind)
	}
	return kind + "/" + string(a.AncestorRef.Name)
}

// Programmed waits until n of n proxies run a plugin.
func (w *World) Programmed(name string, n int) *ext.WasmPlugin {
	w.t.Helper()
	return w.MustSummarize(name, True(ext.ConditionAccepted), True(ext.ConditionProgrammed, fmt.Sprintf("%d/%d proxies run it", n, n)), True(ext.ConditionReady))
}

// MustTarget waits until conditions of a Gateway ("Gateway/name") or Service are as expected.
func (w *World) MustTarget(target string, expected ...Expect) {
	w.t.Helper()
	w.target(target, fmt.Sprintf("has the conditions %+v", expected), func(list []metav1.Condition, generation int64) string {
		return allMissing(list, generation, expected)
	})
}

// MustNotHave waits until a target has no such condition.
func (w *World) MustNotHave(target, condition string) {
	w.t.Helper()
	w.target(target, "has no condition "+condition, func(list []metav1.Condition, _ int64) string {
		for _, c := range list {
			if c.Type == condition {
				return fmt.Sprintf("it has: %s", c.Message)
			}
		}
		return ""
	})
}

// MustNeverHave looks for as long as Timeouts.Steady says that a target has no such condition.
func (w *World) MustNeverHave(target, condition string) {
	w.t.Helper()
	for end := time.Now().Add(w.Timeouts.Steady); time.Now().Before(end); {
		w.MustNotHave(target, condition)
	}
}

func (w *World) target(target, what string, why func([]metav1.Condition, int64) string) {
	w.t.Helper()
	kind, name, _ := strings.Cut(target, "/")
	key := w.of(named(name))
	eventually(w.t, w.Timeouts.Status, target+" "+what, func() (bool, string) {
		list, generation, err := w.conditions(kind, key)
		if err != nil {
			return false, err.Error()
		}
		text := why(list, generation)
		return text == "", text
	})
}

func (w *World) conditions(kind string, key client.ObjectKey) ([]metav1.Condition, int64, error) {
	switch kind {
	case "Gateway":
		var g gatewayv1.Gateway
		err := w.client.Get(context.Background(), key, &g)
		return g.Status.Conditions, g.Generation, err
	case "Service":
		var s corev1.Service
		err := w.client.Get(context.Background(), key, &s)
		return s.Status.Conditions, 0, err
	case "GatewayClass":
		var c gatewayv1.GatewayClass
		err := w.client.Get(context.Background(), client.ObjectKey{Name: key.Name}, &c)
		return c.Status.Conditions, c.Generation, err
	case "ServiceEntry":
		var e networkingv1.ServiceEntry
		err := w.client.Get(context.Background(), key, &e)
		return entryConditions(&e), 0, err
	}
	return nil, 0, fmt.Errorf("target kind %q: use Gateway, GatewayClass, Service or ServiceEntry", kind)
}
