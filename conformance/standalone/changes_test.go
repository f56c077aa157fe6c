package standalone_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNothingFailsUnder500Changes is the first promise of the design: creations, changes, reorderings and deletions under
// constant load at a gateway and at a Service's waypoint, with the auth plugin in force for most of the time.
func TestNothingFailsUnder500Changes(t *testing.T) {
	const changes = 500
	web, atEdge := backend(t, "web", "", "http")
	reviews, atWaypoint := backend(t, "reviews", inMesh, "http")
	w := start(t, map[string]string{"web.yaml": web, "reviews.yaml": reviews, "edge.yaml": ingress, "waypoint.yaml": waypoint})
	places := []*changer{
		newChanger(w, w.gateway("edge"), "Gateway", "edge", 1),
		newChanger(w, w.service("reviews", 9080), "Service", "reviews", 2),
	}
	auth := w.authModule()
	var loads []*traffic
	for _, p := range places {
		w.answers(p.addr, "/", 200, "")
		loads = append(loads, drive(t, p.addr))
	}
	begin := time.Now()
	for i := range changes {
		// The auth plugin comes, changes and goes twice.
		switch i % (changes / 2) {
		case 30:
			for j, p := range places {
				w.write(p.auth(), authManifest("auth-"+p.target, auth, p.kind, p.target, "first"))
				w.plugin("auth-"+p.target, "programmed", programmed)
				loads[j].enter(guarded)
			}
		case 130:
			for _, p := range places {
				w.write(p.auth(), authManifest("auth-"+p.target, auth, p.kind, p.target, "second"))
			}
		case 230:
			for j, p := range places {
				loads[j].enter(unguarded)
				w.remove(p.auth())
			}
		}
		places[i%2].change(i%5 != 0)
	}
	for _, p := range places {
		p.settled()
	}
	t.Logf("%d changes in %s", changes, time.Since(begin).Round(time.Millisecond))
	loads[0].flawless("gateway", atEdge)
	loads[1].flawless("waypoint", atWaypoint)
	for _, p := range places {
		p.log(t)
	}
}

// changer makes random changes to the markers of one place, and knows what the requests have to show then.
type changer struct {
	w                  *world
	addr, kind, target string
	random             *rand.Rand
	modules            []string
	seq                int
	plugins            map[string]*marker
	done               map[string]int
	took               map[string][]time.Duration
}

type marker struct {
	url      string
	version  int
	phase    int
	priority int
}

var kinds = []string{"create", "config", "priority", "delete"}

var phases = []string{"AUTHN", "AUTHZ", "STATS", "UNSPECIFIED_PHASE"}

func newChanger(w *world, addr, kind, target string, seed uint64) *changer {
	c := &changer{
		w: w, addr: addr, kind: kind, target: target, random: rand.New(rand.NewPCG(seed, 0)),
		plugins: map[string]*marker{}, done: map[string]int{}, took: map[string][]time.Duration{},
	}
	for i := range 3 {
		c.modules = append(c.modules, w.module(fmt.Sprintf("%s-%d.wasm", target, i), fmt.Sprint(target, i)))
	}
	return c
}

func (c *changer) auth() string { return "auth-" + c.target + ".yaml" }

// change does one change; wait tells to see its effect before the next one, others follow on its heels.
func (c *changer) change(wait bool) {
	c.w.t.Helper()
	names := c.order()
	what := kinds[c.random.IntN(len(kinds))]
	switch {
	case len(names) < 3:
		what = "create"
	case len(names) > 5 && what == "create":
		what = "delete"
	}
	c.seq++
	c.done[what]++
	name := fmt.Sprintf("%s-%d", c.target, c.seq)
	if what != "create" {
		name = names[c.random.IntN(len(names))]
	}
	p, before := c.plugins[name], c.expected()
	switch what {
	case "create":
		p = &marker{url: c.modules[c.random.IntN(len(c.modules))], phase: c.random.IntN(2) * 3, priority: c.seq}
		if c.seq%20 == 0 { // code that no proxy has
			p.url = c.w.module(name+".wasm", name)
		}
		c.plugins[name] = p
	case "config":
		p.version++
	case "priority":
		p.priority = c.seq // first of its phase
		if c.order()[0] == name || c.random.IntN(2) == 0 {
			p.priority = -c.seq // last
		}
	case "delete":
		delete(c.plugins, name)
	}
	begin := time.Now()
	if what == "delete" {
		c.w.remove(name + ".yaml")
	} else {
		config := fmt.Sprintf("{name: %s.v%d}", name, p.version)
		more := fmt.Sprintf("  phase: %s\n  priority: %d", phases[p.phase], p.priority)
		c.w.write(name+".yaml", pluginManifest(name, p.url, c.kind, c.target, config, more))
	}
	if wait {
		c.settled()
		if c.expected() != before { // some reorderings change no neighbours
			c.took[what] = append(c.took[what], time.Since(begin))
		}
	}
}

// settled waits until the backend sees the plugins in their order.
func (c *changer) settled() {
	c.w.t.Helper()
	c.w.answers(c.addr, "/", 200, c.expected())
}

// order is the plugins in running order.
func (c *changer) order() []string {
	names := slices.Collect(maps.Keys(c.plugins))
	slices.SortFunc(names, func(a, b string) int {
		p, q := c.plugins[a], c.plugins[b]
		return cmp.Or(p.phase-q.phase, q.priority-p.priority)
	})
	return names
}

// expected is what the backend has to see.
func (c *changer) expected() string {
	names := c.order()
	for i, n := range names {
		names[i] = fmt.Sprintf("%s.v%d", n, c.plugins[n].version)
	}
	return strings.Join(names, ",")
}

func (c *changer) log(t *testing.T) {
	for _, what := range kinds {
		list := c.took[what]
		if len(list) < 10 {
			t.Errorf("only %d measured changes of the kind %s", len(list), what)
			continue
		}
		slices.Sort(list)
		t.Logf("%s, %d × %s: from file to effect p50 %s, max %s", c.kind, c.done[what], what,
			list[len(list)/2].Round(time.Millisecond), list[len(list)-1].Round(time.Millisecond))
	}
}
