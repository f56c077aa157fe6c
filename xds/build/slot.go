package build

import (
	"bytes"
	"encoding/json"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Entry is one plugin's place in a slot: what may stand there, best first.
type Entry struct {
	Plugin model.Key
	Fail   model.FailStrategy
	// Variants are the wanted variant first (if its module is here), then the last good ones.
	Variants []*Variant
	// Wanted is the hash of the variant of the plugin's current generation, "" while its module is not here. A proxy runs
	// the plugin's current generation when it runs this variant.
	Wanted string
	// Pending tells that the plugin's first fetch is under way and its waiting time is not over: a serving proxy goes on
	// without it, a starting one waits.
	Pending bool
}

// Slot is the wanted content of one ECDS resource. It is immutable.
type Slot struct {
	Name string
	// Network tells a network slot, which holds one plugin at most.
	Network bool
	Entries []Entry
}

// Equal tells whether two slots want the same, so that nobody has to be told.
func (s *Slot) Equal(o *Slot) bool {
	if s == nil || o == nil {
		return s == o
	}
	a, errA := json.Marshal(s.key())
	b, errB := json.Marshal(o.key())
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

type entryKey struct {
	Plugin   model.Key
	Fail     model.FailStrategy
	Variants []string
	Wanted   string
	Pending  bool
}

func (s *Slot) key() any {
	keys := make([]entryKey, 0, len(s.Entries))
	for _, e := range s.Entries {
		k := entryKey{Plugin: e.Plugin, Fail: e.Fail, Wanted: e.Wanted, Pending: e.Pending}
		for _, v := range e.Variants {
			k.Variants = append(k.Variants, v.Hash)
		}
		keys = append(keys, k)
	}
	return struct {
		Name    string
		Network bool
		Entries []entryKey
	}{s.Name, s.Network, keys}
}
