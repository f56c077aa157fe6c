package publish

import (
	"fmt"
	"testing"
	"time"
)

func TestWritesBeyondTheBurstGetATimeOfTheirOwn(t *testing.T) {
	p := newPace(10, 2)
	for i, want := range []time.Duration{0, 0, 100 * time.Millisecond, 200 * time.Millisecond} {
		if got := p.ask(wasmPlugin(fmt.Sprint(i)), false, at(0)); got != want {
			t.Errorf("write %d: %s, want %s", i, got, want)
		}
	}
	if got := p.ask(wasmPlugin("3"), false, at(50)); got != 150*time.Millisecond {
		t.Errorf("asking again gave another time: %s", got)
	}
	if got := p.ask(wasmPlugin("3"), false, at(200)); got != 0 {
		t.Errorf("its time came, and it has to wait %s", got)
	}
}

func TestAPlaceThatIsNotNeededIsGivenBack(t *testing.T) {
	p := newPace(10, 1)
	p.ask(wasmPlugin("a"), false, at(0))
	p.ask(wasmPlugin("b"), false, at(0))
	p.give(wasmPlugin("b"), at(1))
	if got := p.ask(wasmPlugin("c"), false, at(1)); got != 99*time.Millisecond {
		t.Errorf("c waits %s", got)
	}
}

func TestBulkWritesLeaveHalfOfTheRateToOthers(t *testing.T) {
	p := newPace(20, 2)
	bulk, others := 0, 0
	waiting := map[int]bool{}
	for i := range 200 {
		waiting[i] = true
	}
	for ms := 0; ms <= 10_000; ms += 20 {
		for i := range 200 {
			if waiting[i] && p.ask(wasmPlugin(fmt.Sprint("bulk", i)), true, at(ms)) == 0 {
				delete(waiting, i)
				bulk++
			}
		}
		if ms%100 == 0 { // 10 per second
			if wait := p.ask(wasmPlugin(fmt.Sprint("own", ms)), false, at(ms)); wait > 200*time.Millisecond {
				t.Fatalf("a write of its own waits %s behind bulk writes", wait)
			}
			others++
		}
	}
	if bulk < 95 || bulk > 105 {
		t.Errorf("%d bulk writes in 10 s, want about 100", bulk)
	}
	if others != 101 {
		t.Errorf("%d others", others)
	}
}
