package delivery

import (
	"fmt"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

func TestAVersionIsRecognisedThoughSomePluginsAreInAnotherForm(t *testing.T) {
	slot := &build.Slot{Entries: []build.Entry{
		entry(model.FailClose, "a", "a2", "a1"), entry(model.FailClose, "b", "b1"), entry(model.FailOpen, "c", "c1"),
		entry(model.FailClose, "d"), entry(model.FailOpen, "e"),
	}}
	for _, c := range []struct {
		name string
		held []string
	}{
		{"all at their best", []string{"a2", "b1", "c1", "!d"}},
		{"an older variant", []string{"a1", "b1", "c1", "!d"}},
		{"a refused plugin that fails closed", []string{"a2", "!b", "c1", "!d"}},
		{"a refused plugin that fails open", []string{"a2", "b1", "!d"}},
		{"a plugin that is new", []string{"b1", "c1", "!d"}},
		{"a fail strategy that was another one", []string{"a2", "b1", "!c", "!d", "!e"}},
		{"several at once", []string{"a1", "!b"}},
		{"nothing at all", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			version := build.Version(choices(c.held))
			got, ok := Recognise(slot, version)
			if !ok || build.Version(got) != version || len(got) != len(c.held) {
				t.Errorf("recognised %v as %v, want %v", ok, got, c.held)
			}
		})
	}
	for _, other := range [][]string{{"b1", "a2"}, {"a3"}, {"z1"}, {"a2", "b1", "c1", "!d", "z1"}} {
		if got, ok := Recognise(slot, build.Version(choices(other))); ok {
			t.Errorf("%v taken for %v", other, got)
		}
	}
}

func TestTheSearchForAVersionIsBounded(t *testing.T) {
	slot := &build.Slot{}
	for i := range 200 {
		v := &build.Variant{Plugin: key(fmt.Sprint(i)), Hash: fmt.Sprint(i)}
		slot.Entries = append(slot.Entries, build.Entry{Plugin: v.Plugin, Variants: []*build.Variant{v}})
	}
	s := search{version: "x"}
	for _, e := range slot.Entries {
		s.forms = append(s.forms, forms(e))
	}
	for odd := range 4 {
		if s.find(0, odd) {
			t.Fatal("found what is not there")
		}
	}
	if s.tries > maxTries {
		t.Errorf("%d versions computed, want at most %d", s.tries, maxTries)
	}
	if _, ok := Recognise(slot, "x"); ok {
		t.Error("found what is not there")
	}
	if got, ok := Recognise(slot, build.Version(nil)); ok {
		t.Logf("200 plugins in another form were found: %d", len(got))
	}
}
