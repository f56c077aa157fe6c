package cache

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/anypb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

var gw = types.NamespacedName{Namespace: "default", Name: "gw"}

func resource(text string) *Resource { return NewResource(&anypb.Any{Value: []byte(text)}) }

func slot(name string, plugins ...string) *build.Slot {
	s := &build.Slot{Name: name}
	for _, p := range plugins {
		s.Entries = append(s.Entries, build.Entry{Plugin: model.Key{Name: p}})
	}
	return s
}

type watcher []Update

func (w *watcher) Notify(u Update) { *w = append(*w, u) }

func TestAWatcherIsToldOfWhatDiffersAndOfNothingElse(t *testing.T) {
	g := NewHub().Group(gw)
	var w watcher
	stop := g.Watch(&w)
	set := func(c Change) string {
		w = nil
		g.Apply(c)
		return fmt.Sprint([]Update(w))
	}
	resources := func(url string, pairs ...string) map[string]map[string]*Resource {
		byName := map[string]*Resource{}
		for i := 0; i < len(pairs); i += 2 {
			byName[pairs[i]] = nil
			if pairs[i+1] != "" {
				byName[pairs[i]] = resource(pairs[i+1])
			}
		}
		return map[string]map[string]*Resource{url: byName}
	}
	for _, c := range []struct {
		name   string
		change Change
		want   string
	}{
		{"nothing", Change{}, "[]"},
		{"new resources", Change{Resources: resources("B", "x", "1", "y", "1")}, "[{[B] []}]"},
		{"equal ones", Change{Resources: resources("B", "x", "1")}, "[]"},
		{"one of two", Change{Resources: resources("B", "x", "1", "y", "2")}, "[{[B] []}]"},
		{"the end of what is not there", Change{Resources: resources("B", "z", ""), Slots: map[string]*build.Slot{"s": nil}}, "[]"},
		{"slots and another type", Change{Resources: resources("A", "x", "1"), Slots: map[string]*build.Slot{"t": slot("t"), "s": slot("s", "p")}}, "[{[A] [s t]}]"},
		{"equal slots", Change{Slots: map[string]*build.Slot{"t": slot("t"), "s": slot("s", "p")}}, "[]"},
		{"another plugin", Change{Slots: map[string]*build.Slot{"t": slot("t"), "s": slot("s", "q")}}, "[{[] [s]}]"},
		{"the end of a slot and of a resource", Change{Resources: resources("B", "x", ""), Slots: map[string]*build.Slot{"s": nil}}, "[{[B] [s]}]"},
	} {
		if got := set(c.change); got != c.want {
			t.Errorf("%s: told %s, want %s", c.name, got, c.want)
		}
	}
	if list := g.SlotNames(); !slices.Equal(list, []string{"t"}) || g.Slot("s") != nil || g.Slot("t") == nil {
		t.Errorf("slots %v, want t alone", list)
	}
	have := g.Resources("B")
	if len(have) != 1 || have["y"].Version != resource("2").Version {
		t.Errorf("resources %v, want y alone", have)
	}
	delete(have, "y")
	if len(g.Resources("B")) != 1 {
		t.Error("a caller can change the content")
	}
	stop()
	if got := set(Change{Slots: map[string]*build.Slot{"s": slot("s")}}); got != "[]" {
		t.Errorf("told %s after the end", got)
	}
}

func TestGatewaysDoNotShareAnything(t *testing.T) {
	h := NewHub()
	other := h.Group(types.NamespacedName{Namespace: "default", Name: "other"})
	var w watcher
	other.Watch(&w)
	h.Group(gw).Apply(Change{Slots: map[string]*build.Slot{"s": slot("s")}})
	if len(w) > 0 || other.Slot("s") != nil || h.Group(gw).Slot("s") == nil {
		t.Errorf("another gateway's watcher was told %v", w)
	}
}
