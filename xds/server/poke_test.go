package server

import (
	"log/slog"
	"runtime"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
)

func TestAWakeUpThatMeetsARunningSessionIsNotLost(t *testing.T) {
	s := New(Options{Hub: cache.NewHub(), Registry: acks.NewRegistry(acks.Events{}), Logger: slog.New(slog.DiscardHandler)})
	gw := types.NamespacedName{Namespace: "default", Name: "gw"}
	sess := newSession(s, "1", gw, nil, s.opts.Registry.Connect("p", gw, "", s.opts.Now()))
	idle := func() bool {
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		return s.pool.workers == 0
	}
	sess.mu.Lock() // it runs, and has looked what is due
	sess.poke()
	for !idle() {
		runtime.Gosched()
	}
	if sess.inbox.empty() {
		t.Error("the one who runs the session finds nothing to look at again")
	}
	sess.mu.Unlock()
	sess.run()
	if !sess.inbox.empty() {
		t.Error("the wake-up stays after it was heeded")
	}
}

func TestAPluginThatCannotBeBuiltIsTriedLaterAndHoldsUpNobody(t *testing.T) {
	s := New(Options{Hub: cache.NewHub(), Registry: acks.NewRegistry(acks.Events{}), Logger: slog.New(slog.DiscardHandler)})
	gw := types.NamespacedName{Namespace: "default", Name: "gw"}
	now := s.opts.Now()
	table := newSession(s, "1", gw, nil, s.opts.Registry.Connect("p", gw, "", now)).slots
	table.lane.conn = &laneConn{name: "lane"}
	notUTF8 := build.NewVariant(&model.Plugin{Key: model.Key{Name: "a"}, Lua: "\xff"}, "")
	table.lane.need(&slotState{name: "slot"}, []*build.Variant{notUTF8}, now)
	if err := table.send(now); err != nil {
		t.Fatalf("the session's turn ends with %v: its timers would stand still", err)
	}
	if due := table.lane.due(); !due.After(now) || table.lane.inflight {
		t.Errorf("next try at %v, want it later than %v", due, now)
	}
}

func TestOneTurnOfASessionEndsThoughMoreHasComeMeanwhile(t *testing.T) {
	s := New(Options{Hub: cache.NewHub(), Registry: acks.NewRegistry(acks.Events{}), Logger: slog.New(slog.DiscardHandler)})
	gw := types.NamespacedName{Namespace: "default", Name: "gw"}
	sess := newSession(s, "1", gw, nil, s.opts.Registry.Connect("p", gw, "", s.opts.Now()))
	s.pool.workers = runtime.GOMAXPROCS(0) // none of the pool's own
	turns := 0
	var again func()
	again = func() {
		if turns++; turns < 10 {
			sess.inbox.add(work{do: again})
		}
	}
	sess.inbox.add(work{do: again})
	sess.run()
	if turns != 1 || len(s.pool.queue) != 1 {
		t.Errorf("%d turns at once and %d sessions in the queue, want one turn, and the rest in the queue", turns, len(s.pool.queue))
	}
}
