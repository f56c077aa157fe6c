package suite

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/conformance/echo"
	"github.com/wasmpoint/wasmpoint/conformance/suite/netns"
)

// External puts a server behind a ServiceEntry and gives the entry an address of its own, with the stand-in for ztunnel on
// it. HTTP alone.
func (w *World) External(name string) {
	w.t.Helper()
	key := w.of(named(name))
	var entry networkingv1.ServiceEntry
	w.Get(key, &entry)
	vip, server := w.address(), w.address()
	w.backends[key], w.entries[key] = server, vip
	patched := entry.DeepCopy()
	patched.Spec.Addresses = []string{vip}
	patched.Spec.Endpoints = []networkingv1.WorkloadEntry{{Address: server}}
	must(w.t, w.client.Update(context.Background(), patched))
	must(w.t, netns.AddLocal(vip+"/32"))
	for _, p := range entry.Spec.Ports {
		backend := echo.ServeHTTP(w.listen(server, int32(p.Number)))
		w.t.Cleanup(func() { _ = backend.Close() })
		to := captured{networkingv1.KindServiceEntry, key}
		go netns.Serve(w.listen(vip, int32(p.Number)), w.ztunnel(to, vip, int32(p.Number)))
	}
}

// Entry is HOST:PORT of a ServiceEntry's own address.
func (w *World) Entry(name string, port int) string {
	w.t.Helper()
	return w.at(w.entries[w.of(named(name))], name, port)
}

// ServiceEntry names a ServiceEntry of the test's namespace, for Patch.
func (w *World) ServiceEntry(name string) *networkingv1.ServiceEntry {
	e := &networkingv1.ServiceEntry{}
	e.Namespace, e.Name = w.Namespace, name
	return e
}

// entryConditions are the conditions of a ServiceEntry in the usual form.
func entryConditions(e *networkingv1.ServiceEntry) (out []metav1.Condition) {
	for _, c := range e.Status.Conditions {
		out = append(out, metav1.Condition{Type: c.Type, Status: metav1.ConditionStatus(c.Status), Reason: c.Reason, Message: c.Message})
	}
	return out
}
