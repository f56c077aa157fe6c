package acks

import (
	"reflect"
	"testing"
	"time"
)

func TestThePartsOfAProxyAreCountedAsOne(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	part := func(id, slot, variant string, age time.Duration) Proxy {
		return Proxy{ID: id, Part: true, Connected: at.Add(age), Slots: map[string]Slot{slot: {Running: []string{variant}}}}
	}
	refused := part("a", "s2", "v2", 0)
	refused.Refused = map[string]Refusal{"v3": {Text: "no", At: at}}
	refused.LastRefusal = &Refusal{Text: "no", At: at}
	list := []Proxy{part("a", "s1", "v1", time.Second), refused, {ID: "b"}, {ID: "b"}, part("c", "s1", "v1", 0)}
	before := len(list[0].Slots)
	got := Merge(list)
	if len(got) != 4 || got[0].ID != "a" || got[1].ID != "b" || got[2].ID != "b" || got[3].ID != "c" {
		t.Fatalf("got %+v", got)
	}
	a := got[0]
	if !a.Runs("s1", "v1") || !a.Runs("s2", "v2") || !a.Connected.Equal(at) || a.LastRefusal == nil || a.Refused["v3"].Text != "no" {
		t.Errorf("got %+v", a)
	}
	if len(list[0].Slots) != before || !reflect.DeepEqual(list[4], got[3]) {
		t.Error("the list was changed")
	}
}
