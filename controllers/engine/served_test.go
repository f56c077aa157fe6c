package engine

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

func TestAPortThatIsNotServedIsNamedAndNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	p := plugin("p", one, 1, target)
	p.Type = model.TypeNetwork
	p.Match = []model.TrafficSelector{{Ports: []int32{9000}}}
	gw := ingress("gw")
	gw.Spec.Listeners = append(gw.Spec.Listeners, listener("tcp", 9000, "TCP"))
	w.apply(gw, p)
	w.module(one, "d1", "")
	proxy := w.opts.Registry.Connect("proxy", named2("gw"), "1.40.0", time.Now())
	defer proxy.Disconnect()
	s := w.snapshot()
	if ports := s.Gateways[0].Ports; !slices.Equal(ports, []int32{80}) {
		t.Errorf("ports %v are said to be served, want 80 alone: TCP listeners are not supported", ports)
	}
	in := w.inputs(w.fleet())[0]
	if n := in.Targets[0].Proxies.Total; n != 0 {
		t.Errorf("%d proxies are waited for, want none", n)
	}
	if notes := strings.Join(in.Targets[0].Proxies.Notes, "; "); notes != "port 9000 of Gateway default/gw is not served" {
		t.Errorf("notes %q", notes)
	}
}

// slowDisk takes its time for every write.
type slowDisk struct {
	memory
	begun  chan struct{}
	finish chan struct{}
	writes atomic.Int32
}

func (d *slowDisk) Save(good map[model.Key][]*build.Variant) error {
	d.writes.Add(1)
	d.begun <- struct{}{}
	<-d.finish
	return d.memory.Save(good)
}

func TestTheLoopDoesNotWaitForTheDiskAndTheLatestStateIsWrittenAtTheEnd(t *testing.T) {
	d := &slowDisk{begun: make(chan struct{}, 10), finish: make(chan struct{})}
	s := newSaver(d, nil)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { s.run(ctx); close(ended) }()
	for !s.isRunning() {
		time.Sleep(time.Millisecond)
	}
	state := func(hash string) map[model.Key][]*build.Variant {
		return map[model.Key][]*build.Variant{{Name: "p"}: {{Hash: hash}}}
	}
	s.save(state("1"))
	<-d.begun // the disk is busy from here on
	s.save(state("2"))
	s.save(state("3"))
	cancel()
	close(d.finish)
	<-ended
	if n := d.writes.Load(); n != 2 {
		t.Errorf("%d writes, want two: what is overtaken is not written", n)
	}
	got, err := d.Load()
	if err != nil || got[model.Key{Name: "p"}][0].Hash != "3" {
		t.Errorf("the last state on the disk is %+v (%v), want the latest", got, err)
	}
}

func (s *saver) isRunning() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}
