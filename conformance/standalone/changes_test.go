package standalone_test

import (
	"fmt"
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
		switch i {
		case changes / 10:
			for j, p := range places {
				w.write(p.auth(), authManifest("auth-"+p.target, auth, p.kind, p.target, "first"))
				w.plugin("auth-"+p.target, "programmed", programmed)
				loads[j].enter(guarded)
			}
		case changes / 2:
			for _, p := range places {
				w.write(p.auth(), authManifest("auth-"+p.target, auth, p.kind, p.target, "second"))
			}
		case changes * 9 / 10:
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
	took               map[string][]time.Duration
}

type marker struct {
	url      string
	version  int
	phase    int
	priority int
}

var phases = []string{"AUTHN", "AUTHZ", "STATS", "UNSPECIFIED_PHASE"}

func newChanger(w *world, addr, kind, target string, seed uint64) *changer {
	c := &changer{
		w: w, addr: addr, kind: kind, target: target, random: rand.New(rand.NewPCG(seed, 0)),
		plugins: map[string]*marker{}, took: map[string][]time.Duration{},
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
	names := make([]string, 0, len(c.plugins))
	for n := range c.plugins {
		names = append(names, n)
	}
	slices.Sort(names)
	what := []string{"create", "config", "priority", "delete"}[c.random.IntN(4)]
	switch {
	case len(names) < 2:
		what = "create"
	case len(names) > 4 && what == "create":
		what = "delete"
	}
	c.seq++
	name := fmt.Sprintf("%s-%d", c.target, c.seq)
	if what != "create" {
		name = names[c.random.IntN(len(names))]
	}
	p := c.plugins[name]
	switch what {
	case "create":
		p = &marker{url: c.modules[c.random.IntN(len(c.modules))], phase: c.random.IntN(4), priority: c.random.IntN(100)*1000 + c.seq}
		if c.seq%20 == 0 { // code that no proxy has
			p.url = c.w.module(name+".wasm", name)
		}
		c.plugins[name] = p
	case "config":
		p.version++
	case "priority":
		p.priority = c.random.IntN(100)*1000 + c.seq
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
		c.took[what] = append(c.took[what], time.Since(begin))
	}
}

// settled waits until the backend sees the plugins in their order.
func (c *changer) settled() {
	c.w.t.Helper()
	names := make([]string, 0, len(c.plugins))
	for n := range c.plugins {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		p, q := c.plugins[a], c.plugins[b]
		if p.phase != q.phase {
			return p.phase - q.phase
		}
		return q.priority - p.priority
	})
	for i, n := range names {
		names[i] = fmt.Sprintf("%s.v%d", n, c.plugins[n].version)
	}
	c.w.answers(c.addr, "/", 200, strings.Join(names, ","))
}

func (c *changer) log(t *testing.T) {
	for _, what := range []string{"create", "config", "priority", "delete"} {
		list := c.took[what]
		if len(list) == 0 {
			t.Errorf("no change of the kind %s", what)
			continue
		}
		slices.Sort(list)
		t.Logf("%s, %d × %s: from file to effect p50 %s, max %s", c.kind, len(list), what,
			list[len(list)/2].Round(time.Millisecond), list[len(list)-1].Round(time.Millisecond))
	}
}
