package server

import (
	"maps"
	"time"

	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/delivery"
)

// knowledge is what a stream learnt of its proxy (delivery.Knowledge).
type knowledge struct {
	good, bad map[string]bool
	// suspect are the variants that the proxy refused in a slot; the lane judges them.
	suspect map[string]bool
	// modules are the modules that the proxy runs, with the time when it last took one on this stream. It is zero for those
	// of a reconnected proxy: it runs them, but may have had them for days.
	modules map[string]time.Time
	// calm tells that a refusal on the stream of the slots harms none of them.
	calm func() bool
	now  func() time.Time
	// since is when a variant's lane was first asked for; overdue after wait.
	since   map[string]time.Time
	overdue map[string]bool
	wait    time.Duration
	// inUse is how many variants were in use at the last prune.
	inUse int
}

var _ delivery.Knowledge = (*knowledge)(nil)

func newKnowledge(wait time.Duration, calm func() bool, now func() time.Time) *knowledge {
	return &knowledge{
		good: map[string]bool{}, bad: map[string]bool{}, suspect: map[string]bool{}, modules: map[string]time.Time{}, calm: calm, now: now,
		since: map[string]time.Time{}, overdue: map[string]bool{}, wait: wait,
	}
}

func (k *knowledge) Good(v string) bool    { return k.good[v] }
func (k *knowledge) Bad(v string) bool     { return k.bad[v] }
func (k *knowledge) Overdue(v string) bool { return k.overdue[v] }

// Direct: what the proxy refused in a slot does not come there straight a second time. Lua has no code that the proxy could
// have proven.
func (k *knowledge) Direct(v *build.Variant) bool {
	return v.Digest != "" && k.There(v) && !k.suspect[v.Hash] && k.calm()
}

// There: code that the proxy took long ago it may have dropped since.
func (k *knowledge) There(v *build.Variant) bool {
	return v.Digest == "" || k.code(v.Digest, k.now()) == delivery.CodeThere
}

// codeKept is how long a proxy surely keeps the code of a module that it took: Envoy's cache forgets it a day after its
// last use.
const codeKept = 12 * time.Hour

// code is what is known of a module in the proxy's cache.
func (k *knowledge) code(digest string, now time.Time) delivery.Code {
	at, runs := k.modules[digest]
	switch {
	case !runs:
		return delivery.CodeUnknown
	case now.Sub(at) < codeKept:
		return delivery.CodeThere
	default:
		return delivery.CodeOld
	}
}

// proven notes that the proxy takes a variant: it said so now, or (zero) some time ago.
func (k *knowledge) proven(v *build.Variant, now time.Time) {
	k.good[v.Hash] = true
	delete(k.bad, v.Hash)
	delete(k.suspect, v.Hash)
	if at, runs := k.modules[v.Digest]; v.Digest != "" && (!runs || now.After(at)) {
		k.modules[v.Digest] = now
	}
}

// doubt takes back that the variants of a refused slot are good: the proxy may have lost their code (its cache forgets
// after a day). The lane finds out.
func (k *knowledge) doubt(choices []build.Choice) {
	for _, c := range choices {
		if c.Variant != nil {
			delete(k.good, c.Variant.Hash)
			delete(k.modules, c.Variant.Digest)
		}
	}
}

// remembered is how many variants beyond those in use are kept in mind.
const remembered = 100

// prune forgets variants that no slot holds or wants, once there are many of them: a stream lives for months, and every
// change of a configuration makes a variant.
func (k *knowledge) prune(t *slotTable) {
	if len(k.good)+len(k.bad)+len(k.suspect) < k.inUse+remembered {
		return
	}
	used, digests := map[string]bool{}, map[string]bool{}
	use := func(v *build.Variant) {
		if v != nil {
			used[v.Hash], digests[v.Digest] = true, true
		}
	}
	for name, st := range t.slots {
		for _, c := range st.held.Choices {
			use(c.Variant)
		}
		if slot := t.s.group.Slot(name); slot != nil {
			for _, e := range slot.Entries {
				for _, v := range e.Variants {
					use(v)
				}
			}
		}
	}
	for v := range k.bad {
		if !used[v] {
			t.s.proxy.Refuse(v, "", time.Time{})
		}
	}
	unused := func(v string, _ bool) bool { return !used[v] }
	k.good, k.bad, k.suspect = kept(k.good, unused), kept(k.bad, unused), kept(k.suspect, unused)
	maps.DeleteFunc(k.modules, func(d string, _ time.Time) bool { return !digests[d] })
	k.inUse = len(k.good) + len(k.bad) + len(k.suspect)
}

// kept is a copy without the unused: a map that was large stays so.
func kept(m map[string]bool, unused func(string, bool) bool) map[string]bool {
	maps.DeleteFunc(m, unused)
	out := make(map[string]bool, len(m))
	maps.Copy(out, m)
	return out
}

// asked starts a variant's waiting time.
func (k *knowledge) asked(v string, now time.Time) {
	if _, ok := k.since[v]; !ok {
		k.since[v] = now
	}
}

// extend gives all that wait more time.
func (k *knowledge) extend(by time.Duration) {
	for v, since := range k.since {
		k.since[v] = since.Add(by)
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
