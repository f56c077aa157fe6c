package publish

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

var t0 = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }

func wasmPlugin(name string) item {
	return item{"WasmPlugin", types.NamespacedName{Namespace: "default", Name: name}}
}

func names(due []settled) (out string) {
	for _, d := range due {
		out += d.Name
	}
	return out
}

func TestAnObjectIsLookedAtWhenItWasQuiet(t *testing.T) {
	s := newSettle(200*time.Millisecond, time.Second)
	s.add(at(0), false, wasmPlugin("a"))
	s.add(at(100), false, wasmPlugin("b"), wasmPlugin("a"))
	if due, next := s.take(at(299)); len(due) != 0 || next != time.Millisecond {
		t.Errorf("got %v, next in %s", due, next)
	}
	due, next := s.take(at(300))
	if names(due) != "ab" || next != time.Hour {
		t.Errorf("got %v, next in %s; want a, which was marked first, and b", due, next)
	}
}

func TestAnObjectThatIsNeverQuietComesThrough(t *testing.T) {
	s := newSettle(200*time.Millisecond, time.Second)
	for ms := 0; ms < 1000; ms += 50 {
		if due, _ := s.take(at(ms)); len(due) != 0 {
			t.Fatalf("after %d ms: %v", ms, due)
		}
		s.add(at(ms), false, wasmPlugin("a"))
	}
	if due, _ := s.take(at(1000)); len(due) != 1 {
		t.Errorf("after a second: %v", due)
	}
}

func TestTheSleeperIsWokenForTheFirstMarkOnly(t *testing.T) {
	s := newSettle(200*time.Millisecond, time.Second)
	s.add(at(0), false)
	s.add(at(0), false, wasmPlugin("a"))
	s.add(at(10), false, wasmPlugin("b"))
	if len(s.wake) != 1 {
		t.Fatalf("%d wake-ups", len(s.wake))
	}
	<-s.wake
	if s.add(at(20), false, wasmPlugin("c")); len(s.wake) != 0 {
		t.Error("woken for a mark that is due after others")
	}
}

func TestAMarkOfItsOwnEndsABulkMark(t *testing.T) {
	s := newSettle(200*time.Millisecond, time.Second)
	s.add(at(0), true, wasmPlugin("a"), wasmPlugin("b"), wasmPlugin("c"))
	s.add(at(1), false, wasmPlugin("a"))
	s.add(at(2), false, wasmPlugin("c"))
	s.add(at(3), true, wasmPlugin("c"))
	due, _ := s.take(at(500))
	for _, d := range due {
		if d.bulk != (d.Name == "b") {
			t.Errorf("%s: bulk is %v", d.Name, d.bulk)
		}
	}
}
