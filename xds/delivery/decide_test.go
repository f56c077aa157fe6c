package delivery

import (
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

type known struct{ good, bad, overdue, direct, old map[string]bool }

func (k known) Good(v string) bool           { return k.good[v] }
func (k known) There(v *build.Variant) bool  { return !k.old[v.Hash] }
func (k known) Direct(v *build.Variant) bool { return k.direct[v.Hash] }
func (k known) Bad(v string) bool            { return k.bad[v] }
func (k known) Overdue(v string) bool        { return k.overdue[v] }

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

func key(name string) model.Key {
	return model.Key{Kind: "WasmPlugin", Namespace: "default", Name: name}
}

// variant has its plugin's name and a letter: a1 is plugin a's variant with module m1.
func variant(hash string) *build.Variant {
	return &build.Variant{Plugin: key(hash[:1]), Hash: hash, Digest: "m" + hash[1:]}
}

func entry(fail model.FailStrategy, name string, variants ...string) build.Entry {
	e := build.Entry{Plugin: key(name), Fail: fail}
	for _, v := range variants {
		e.Variants = append(e.Variants, variant(v))
	}
	return e
}

func holds(hashes ...string) State {
	s := State{Held: true}
	for _, h := range hashes {
		s.Choices = append(s.Choices, choice(h))
	}
	return s
}

// choice is a variant's, or with "!a" the error in plugin a's place.
func choice(h string) build.Choice {
	if h[0] == '!' {
		return build.Choice{Plugin: key(h[1:])}
	}
	return build.Choice{Plugin: key(h[:1]), Variant: variant(h)}
}

func TestASlotIsOnlyChangedToWhatTheProxyTakesAtOnce(t *testing.T) {
	pending := entry(model.FailClose, "a")
	pending.Pending = true
	for _, c := range []struct {
		name    string
		entries []build.Entry
		state   State
		known   known
		want    []string
		lanes   []string
		wait    bool
	}{
		{
			name:    "a module that the proxy is not known to hold goes through a lane first, and nothing changes on a serving proxy",
			entries: []build.Entry{entry(model.FailClose, "a", "a1")}, state: holds(), lanes: []string{"a1"},
		},
		{
			name:    "a warming slot waits for the lane",
			entries: []build.Entry{entry(model.FailClose, "a", "a1")}, lanes: []string{"a1"}, wait: true,
		},
		{
			name:    "a variant that the proxy acknowledged goes straight in, also into a warming slot",
			entries: []build.Entry{entry(model.FailClose, "a", "a1")}, known: known{good: set("a1")}, want: []string{"a1"},
		},
		{
			name:    "unless its code may have left the proxy's cache since: a refusal there would end the warming of all",
			entries: []build.Entry{entry(model.FailClose, "a", "a1")}, known: known{good: set("a1"), old: set("a1")}, lanes: []string{"a1"}, wait: true,
		},
		{
			name:    "what a slot runs for days stays, whether its code is in the cache or not",
			entries: []build.Entry{entry(model.FailClose, "a", "a1")}, state: holds("a1"), known: known{good: set("a1"), old: set("a1")}, want: []string{"a1"},
		},
		{
			name:    "another form of code that runs goes straight into a slot that stands",
			entries: []build.Entry{entry(model.FailClose, "a", "a1"), entry(model.FailClose, "b", "b2", "b1")}, state: holds("b1"),
			known: known{direct: set("a1", "b2")}, want: []string{"a1", "b2"},
		},
		{
			name:    "but not into one whose content is unknown",
			entries: []build.Entry{entry(model.FailClose, "a", "a1")}, known: known{direct: set("a1")}, lanes: []string{"a1"}, wait: true,
		},
		{
			name:    "beside a neighbour that has to go through the lane, which stays as it is",
			entries: []build.Entry{entry(model.FailClose, "a", "a2"), entry(model.FailClose, "b", "b2", "b1")}, state: holds("a1", "b1"),
			known: known{direct: set("a2")}, want: []string{"a2", "b1"}, lanes: []string{"b2"},
		},
		{
			name:    "what was refused before is not tried straight",
			entries: []build.Entry{entry(model.FailClose, "a", "a2", "a1")}, state: holds("a1"), known: known{bad: set("a2"), good: set("a1"), direct: set("a2")},
			want: []string{"a1"},
		},
		{
			name:    "a refused variant gives way to the last good one",
			entries: []build.Entry{entry(model.FailClose, "a", "a2", "a1")}, state: holds("a1"), known: known{bad: set("a2"), good: set("a1")},
			want: []string{"a1"},
		},
		{
			name:    "a refused plugin that was never good leaves an error in its place when it fails closed",
			entries: []build.Entry{entry(model.FailClose, "a", "a1"), entry(model.FailClose, "b", "b1")}, state: holds("b1"),
			known: known{bad: set("a1"), good: set("b1")}, want: []string{"!a", "b1"},
		},
		{
			name:    "FAIL_RELOAD fails closed as well",
			entries: []build.Entry{entry(model.FailReload, "a", "a1")}, state: holds(), known: known{bad: set("a1")}, want: []string{"!a"},
		},
		{
			name:    "and is left out when it fails open",
			entries: []build.Entry{entry(model.FailOpen, "a", "a1"), entry(model.FailClose, "b", "b1")}, state: holds("b1"),
			known: known{bad: set("a1"), good: set("b1")}, want: []string{"b1"},
		},
		{
			name:    "while a change is on its way, the old variant stays, and a neighbour's change goes on",
			entries: []build.Entry{entry(model.FailClose, "a", "a2", "a1"), entry(model.FailClose, "b", "b3")}, state: holds("a1", "b1"),
			known: known{good: set("a1", "b3")}, want: []string{"a1", "b3"}, lanes: []string{"a2"},
		},
		{
			name:    "an error in a plugin's place stays until its module is here: leaving it out would open the door",
			entries: []build.Entry{entry(model.FailClose, "a", "a1")}, state: holds("!a"), want: []string{"!a"}, lanes: []string{"a1"},
		},
		{
			name:    "when the proxy cannot get the module in time, the fail strategy acts and the lane goes on",
			entries: []build.Entry{entry(model.FailClose, "a", "a1")}, known: known{overdue: set("a1")}, want: []string{"!a"}, lanes: []string{"a1"},
		},
		{
			name:    "when the new module is overdue on a starting proxy, the last good one acts",
			entries: []build.Entry{entry(model.FailClose, "a", "a2", "a1")}, known: known{overdue: set("a2"), good: set("a1")},
			want: []string{"a1"}, lanes: []string{"a2"},
		},
		{
			name:    "what runs goes on when all that it could be replaced by is refused",
			entries: []build.Entry{entry(model.FailOpen, "a", "a3", "a2")}, state: holds("a1"), known: known{bad: set("a3", "a2")}, want: []string{"a1"},
		},
		{
			name:    "and when nothing is there to replace it",
			entries: []build.Entry{entry(model.FailClose, "a")}, state: holds("a1"), want: []string{"a1"},
		},
		{
			name:    "but not if it is refused itself",
			entries: []build.Entry{entry(model.FailClose, "a", "a2")}, state: holds("a1"), known: known{bad: set("a1", "a2")}, want: []string{"!a"},
		},
		{
			name:    "an error in the place of a plugin that fails open now goes",
			entries: []build.Entry{entry(model.FailOpen, "a")}, state: holds("!a"),
		},
		{
			name: "while the controller fetches a new plugin, a serving proxy goes on without it", entries: []build.Entry{pending}, state: holds(),
		},
		{
			name: "and a starting one waits", entries: []build.Entry{pending}, wait: true,
		},
		{
			name: "after the waiting time the fail strategy acts", entries: []build.Entry{entry(model.FailClose, "a")}, want: []string{"!a"},
		},
		{
			name: "an empty slot is answered at once",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Decide(&build.Slot{Name: "s", Entries: c.entries}, c.state, c.known)
			if d.Wait != c.wait {
				t.Fatalf("wait = %v, want %v", d.Wait, c.wait)
			}
			if !d.Wait && build.Version(d.Choices) != build.Version(choices(c.want)) {
				t.Errorf("choices %v, want %v", d.Choices, c.want)
			}
			var lanes []string
			for _, v := range d.Lanes {
				lanes = append(lanes, v.Hash)
			}
			if len(lanes) != len(c.lanes) || len(lanes) > 0 && lanes[0] != c.lanes[0] {
				t.Errorf("lanes %v, want %v", lanes, c.lanes)
			}
			if settled := len(c.lanes) == 0 && !c.wait && !hasPending(c.entries); d.Settled != settled && !hasPending(c.entries) {
				t.Errorf("settled = %v, want %v", d.Settled, settled)
			}
		})
	}
}

func hasPending(entries []build.Entry) bool {
	for _, e := range entries {
		if e.Pending {
			return true
		}
	}
	return false
}

func choices(hashes []string) []build.Choice {
	var out []build.Choice
	for _, h := range hashes {
		out = append(out, choice(h))
	}
	return out
}
