//go:build faults

package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// foreign is an entry of another controller.
func foreign(name, message string) gatewayv1.PolicyAncestorStatus {
	return gatewayv1.PolicyAncestorStatus{
		AncestorRef:    gatewayv1.ParentReference{Name: gatewayv1.ObjectName(name)},
		ControllerName: "other.example/controller",
		Conditions: []metav1.Condition{{
			Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Accepted", Message: message,
			LastTransitionTime: metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		}},
	}
}

// others are the entries and conditions of the status that are not ours, as JSON.
func others(t *testing.T, p *extv1.WasmPlugin) string {
	t.Helper()
	var ancestors []gatewayv1.PolicyAncestorStatus
	for _, a := range p.Status.Ancestors {
		if a.ControllerName != extv1.ControllerName {
			ancestors = append(ancestors, a)
		}
	}
	var conditions []metav1.Condition
	for _, c := range extv1.MetaConditions(p.Status.Conditions) {
		if strings.HasPrefix(c.Type, "other.example/") {
			conditions = append(conditions, c)
		}
	}
	text, err := json.Marshal([]any{ancestors, conditions})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func testSecondWriter(t *testing.T, w *world, r *replica, _ *audit) {
	s := w.scene("conflict")
	s.guard("p0")
	r.proxy("conflict", s.gateway)
	s.guarded("p0")

	// The other one changes its own parts only, and has no pity.
	var wrote atomic.Int64
	var last string
	var over atomic.Bool
	var hammer sync.WaitGroup
	hammer.Go(func() {
		ctx := context.Background()
		for n := 0; !over.Load(); n++ {
			p := &extv1.WasmPlugin{}
			err := s.Client().Get(ctx, s.key(), p)
			if err == nil {
				text := fmt.Sprintf("round %d", n)
				setForeign(p, foreign("theirs", text))
				err = s.Client().Status().Update(ctx, p)
			}
			switch {
			case err == nil:
				last = others(t, p)
				wrote.Add(1)
			case !apierrors.IsConflict(err):
				t.Errorf("the other writer: %v", err)
				return
			}
		}
	})
	t.Cleanup(func() { over.Store(true); hammer.Wait() })
	for i := range 4 {
		password := fmt.Sprintf("p%d", i+1)
		s.guard(password)
		s.guarded(password)
		s.programmed()
	}
	over.Store(true)
	hammer.Wait()
	t.Logf("the other one wrote %d times", wrote.Load())
	if wrote.Load() < 20 {
		t.Fatalf("the other writer wrote only %d times", wrote.Load())
	}
	s.guard("after")
	p := s.programmed()
	if got := others(t, p); got != last {
		t.Errorf("theirs are\n%s\nwant\n%s", got, last)
	}
	if len(p.Status.Ancestors) != 2 {
		t.Errorf("ancestors %+v, want theirs and ours", p.Status.Ancestors)
	}
}

// setForeign replaces the other writer's ancestor and condition.
func setForeign(p *extv1.WasmPlugin, entry gatewayv1.PolicyAncestorStatus) {
	var ancestors []gatewayv1.PolicyAncestorStatus
	for _, a := range p.Status.Ancestors {
		if a.ControllerName != entry.ControllerName {
			ancestors = append(ancestors, a)
		}
	}
	p.Status.Ancestors = append([]gatewayv1.PolicyAncestorStatus{entry}, ancestors...)
	c := entry.Conditions[0]
	c.Type = "other.example/Seen"
	conditions := p.Status.Conditions[:0:0]
	for _, old := range p.Status.Conditions {
		if old.Type != c.Type {
			conditions = append(conditions, old)
		}
	}
	p.Status.Conditions = append(conditions, extv1.Condition(c))
}

func testFullAncestors(t *testing.T, w *world, r *replica, _ *audit) {
	s := w.scene("full")
	s.guard("one")
	r.proxy("full", s.gateway)
	s.guarded("one")
	s.programmed()
	var want string
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		p := s.programmed()
		p.Status.Ancestors = nil
		for i := range 16 {
			p.Status.Ancestors = append(p.Status.Ancestors, foreign(fmt.Sprintf("theirs-%d", i), "all is well"))
		}
		err := s.Client().Status().Update(context.Background(), p)
		want = others(t, p) // with the API server's defaults
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	l := s.load("one")
	full := func(p *extv1.WasmPlugin) bool {
		return is("Programmed", "True")(p) && strings.Contains(message(p, "Accepted"), "1 targets have no room in status.ancestors (16 entries at most)")
	}
	s.status("says that there is no room", full)
	zeroFailures(t, l)
	s.guard("two")
	s.guarded("two")
	p := s.status("says so of the next generation", full)
	if got := others(t, p); got != want {
		t.Errorf("theirs are\n%s\nwant\n%s", got, want)
	}
	if len(p.Status.Ancestors) != 16 {
		t.Errorf("%d ancestors, want the 16 of the other controller", len(p.Status.Ancestors))
	}
}
