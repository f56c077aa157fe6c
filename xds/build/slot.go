package build

import (
	"slices"

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
	return s.Name == o.Name && s.Network == o.Network && slices.EqualFunc(s.Entries, o.Entries, Entry.equal)
}

// equal compares variants by their hashes, which stand for all of them but the generation.
func (e Entry) equal(o Entry) bool {
	return e.Plugin == o.Plugin && e.Fail == o.Fail && e.Wanted == o.Wanted && e.Pending == o.Pending &&
		slices.EqualFunc(e.Variants, o.Variants, func(a, b *Variant) bool { return a.Hash == b.Hash })
}
