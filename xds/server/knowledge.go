package server

import (
	"time"

	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/delivery"
)

// knowledge is what a stream learnt of its proxy (delivery.Knowledge).
type knowledge struct {
	good, bad map[string]bool
	// modules are the modules that the proxy ran on this stream.
	modules map[string]bool
	// since is when a variant's lane was first asked for; overdue after wait.
	since   map[string]time.Time
	overdue map[string]bool
	wait    time.Duration
	// inUse is how many variants were in use at the last prune.
	inUse int
}

var _ delivery.Knowledge = (*knowledge)(nil)

func newKnowledge(wait time.Duration) *knowledge {
	return &knowledge{
		good: map[string]bool{}, bad: map[string]bool{}, modules: map[string]bool{},
		since: map[string]time.Time{}, overdue: map[string]bool{}, wait: wait,
	}
}

func (k *knowledge) Good(v string) bool    { return k.good[v] }
func (k *knowledge) Bad(v string) bool     { return k.bad[v] }
func (k *knowledge) Overdue(v string) bool { return k.overdue[v] }

// proven notes that the proxy takes a variant.
func (k *knowledge) proven(v *build.Variant) {
	k.good[v.Hash] = true
	delete(k.bad, v.Hash)
	if v.Digest != "" {
		k.modules[v.Digest] = true
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
const remembered = 1000

// prune forgets variants that no slot holds, once there are many of them: a stream lives for months, and every change of
// a configuration makes a variant.
func (k *knowledge) prune(slots map[string]*slotState, proxy *acks.Handle) {
	if len(k.good)+len(k.bad) < k.inUse+remembered {
		return
	}
	for v := range k.bad {
		proxy.Refuse(v, "", time.Time{})
	}
	clear(k.good)
	clear(k.bad)
	clear(k.modules)
	for _, st := range slots {
		for _, c := range st.held.Choices {
			if c.Variant != nil {
				k.proven(c.Variant)
			}
		}
	}
	k.inUse = len(k.good)
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
