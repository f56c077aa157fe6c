//go:build faults

package controller

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestFaultsOfTheLeader has two replicas; the second one reaches the API server through a link.
func TestFaultsOfTheLeader(t *testing.T) {
	t.Parallel()
	audit, record := withAudit(t)
	w := newWorld(t, record).replicas("a", "b")
	a := w.start("a").ready()
	w.logged("this replica leads")
	link := w.Link()
	w.start("b", through(link)).ready()
	s := w.scene("led")
	s.guard("p0")
	a.proxy("led", s.gateway)
	s.guarded("p0")
	s.programmed()

	t.Run("a Lease renewed an hour ago, or in an hour, by another clock makes no second leader", func(t *testing.T) {
		s := s.in(t)
		for i, skew := range []time.Duration{-time.Hour, time.Hour} {
			mark, start := len(w.log.String()), time.Now()
			s.changeLease(func(l *coordinationv1.Lease) {
				at := metav1.NewMicroTime(time.Now().Add(skew))
				l.Spec.RenewTime, l.Spec.AcquireTime = &at, &at
			})
			password := fmt.Sprintf("skew%d", i)
			s.guard(password)
			s.guarded(password)
			s.programmed()
			s.leaseMoves(4)
			if log := w.log.String()[mark:]; strings.Contains(log, "this replica leads") || strings.Contains(log, "does not lead") || strings.Contains(log, "no word from the API server") {
				t.Errorf("with a clock %s off, the log says:\n%s", skew, log)
			}
			if got := audit.writes(start, func(x write) bool { return x.isStatus() && x.by("b") }); len(got) > 0 {
				t.Errorf("the follower wrote %+v", got)
			}
		}
	})
	t.Run("a leader whose Lease is taken over serves its proxies on and writes no more", func(t *testing.T) {
		s := s.in(t)
		l := s.load("skew1")
		mark, took := len(w.log.String()), time.Now()
		s.changeLease(func(l *coordinationv1.Lease) {
			b, now := "b", metav1.NewMicroTime(time.Now())
			l.Spec.HolderIdentity, l.Spec.RenewTime, l.Spec.AcquireTime = &b, &now, &now
		})
		w.in(t).loggedSince(mark, "this replica leads")
		w.in(t).loggedSince(mark, "this replica does not lead any more")
		// Both look every two seconds, and a bit more.
		if lasted := time.Since(took); lasted > 6*time.Second {
			t.Errorf("it took %s until the other one led and this one did not", lasted)
		}
		zeroFailures(t, l)
		start := time.Now()
		s.guard("taken")
		s.guarded("taken")
		s.programmed()
		if got := audit.writes(start, func(x write) bool { return x.isStatus() && x.by("a") }); len(got) > 0 {
			t.Errorf("the former leader wrote %+v", got)
		}
		if got := audit.writes(start, func(x write) bool { return x.isStatus() && x.by("b") }); len(got) == 0 {
			t.Error("the new leader wrote nothing")
		}
	})
	t.Run("a leader that is cut off is followed by the other one, which writes", func(t *testing.T) {
		s := s.in(t)
		link.Cut()
		l := s.load("taken")
		mark, start := len(w.log.String()), time.Now()
		w.in(t).loggedSince(mark, "this replica leads")
		t.Logf("the other replica led %s after the cut", time.Since(start).Round(100*time.Millisecond))
		zeroFailures(t, l)
		s.guard("cut")
		s.guarded("cut")
		s.programmed()
		if got := audit.writes(start, func(x write) bool { return x.isStatus() && x.by("b") }); len(got) > 0 {
			t.Errorf("the replica that is cut off wrote %+v", got)
		}
		link.Restore()
		back := time.Now()
		s.leaseMoves(4)
		if got := audit.writes(back, func(x write) bool { return x.isStatus() && x.by("b") }); len(got) > 0 {
			t.Errorf("the replica that came back wrote %+v", got)
		}
	})
}

// in is the same scene for a part of a test.
func (s *scene) in(t *testing.T) *scene {
	c := *s
	c.world = s.world.in(t)
	return &c
}

func (s *scene) lease() *coordinationv1.Lease {
	s.t.Helper()
	l := &coordinationv1.Lease{}
	if err := s.Client().Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: "wasmpoint"}, l); err != nil {
		s.t.Fatal(err)
	}
	return l
}

// changeLease writes the Lease as somebody else would.
func (s *scene) changeLease(change func(*coordinationv1.Lease)) {
	s.t.Helper()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		l := s.lease()
		change(l)
		return s.Client().Update(context.Background(), l)
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// leaseMoves waits until the Lease was renewed some times, which is every two seconds.
func (s *scene) leaseMoves(times int) {
	s.t.Helper()
	last := s.lease().ResourceVersion
	for range times {
		s.eventually("the Lease is renewed", func() (bool, string) {
			l := s.lease()
			moved := l.ResourceVersion != last
			last = l.ResourceVersion
			return moved, fmt.Sprintf("holder %s, renewed %s", *l.Spec.HolderIdentity, l.Spec.RenewTime)
		})
	}
}
