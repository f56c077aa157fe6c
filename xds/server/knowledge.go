package server

import (
	"time"

	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/delivery"
)

// knowledge is what a stream learnt of its proxy (delivery.Knowledge).
type knowledge struct {
	good, bad, suspect map[string]bool
	modules            map[string]bool
	// since is when a variant's lane was first asked for; overdue after wait.
	since   map[string]time.Time
	overdue map[string]bool
	wait    time.Duration
}

var _ delivery.Knowledge = (*knowledge)(nil)

func newKnowledge(wait time.Duration) *knowledge {
	return &knowledge{
		good: map[string]bool{}, bad: map[string]bool{}, suspect: map[string]bool{}, modules: map[string]bool{},
		since: map[string]time.Time{}, overdue: map[string]bool{}, wait: wait,
	}
}

func (k *knowledge) Good(v string) bool      { return k.good[v] }
func (k *knowledge) Bad(v string) bool       { return k.bad[v] }
func (k *knowledge) Suspect(v string) bool   { return k.suspect[v] }
func (k *knowledge) Overdue(v string) bool   { return k.overdue[v] }
func (k *knowledge) HasModule(d string) bool { return k.modules[d] }

// acknowledged notes that the proxy runs all of the choices.
func (k *knowledge) acknowledged(choices []build.Choice) {
	for _, c := range choices {
		if c.Variant != nil {
			k.proven(c.Variant)
		}
	}
}

func (k *knowledge) proven(v *build.Variant) {
	k.good[v.Hash] = true
	delete(k.suspect, v.Hash)
	delete(k.overdue, v.Hash)
	delete(k.since, v.Hash)
	if v.Digest != "" {
		k.modules[v.Digest] = true
	}
}

// suspectAll makes every variant that has not proven itself go through a lane. If all had, the proxy lost their code
// (its cache forgets after a day): then all have to.
func (k *knowledge) suspectAll(choices []build.Choice) {
	some := false
	for _, c := range choices {
		if c.Variant != nil && !k.good[c.Variant.Hash] {
			k.suspect[c.Variant.Hash] = true
			some = true
		}
	}
	if some {
		return
	}
	for _, c := range choices {
		if c.Variant != nil {
			delete(k.good, c.Variant.Hash)
			k.suspect[c.Variant.Hash] = true
			delete(k.modules, c.Variant.Digest)
		}
	}
}

// asked starts a variant's waiting time.
func (k *knowledge) asked(v string, now time.Time) {
	if _, ok := k.since[v]; !ok {
		k.since[v] = now
	}
}

// forget drops a variant that no slot wants any more.
func (k *knowledge) forget(v string) {
	delete(k.since, v)
	delete(k.overdue, v)
}

// newlyOverdue marks and lists the variants whose waiting time ended.
func (k *knowledge) newlyOverdue(now time.Time) []string {
	var out []string
	for v, since := range k.since {
		if !k.overdue[v] && !now.Before(since.Add(k.wait)) {
			k.overdue[v] = true
			out = append(out, v)
		}
	}
	return out
}

func (k *knowledge) due() time.Time {
	var out time.Time
	for v, since := range k.since {
		if !k.overdue[v] {
			out = earliest(out, since.Add(k.wait))
		}
	}
	return out
}
