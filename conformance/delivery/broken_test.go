package delivery_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

func luaEntry(name, source string) (build.Entry, *build.Variant) {
	p := &model.Plugin{
		Key: model.Key{Kind: "TrafficExtension", Namespace: "default", Name: name}, Type: model.TypeHTTP,
		FailStrategy: model.FailClose, Lua: source,
	}
	v := build.NewVariant(p, "")
	return build.Entry{Plugin: p.Key, Fail: p.FailStrategy, Variants: []*build.Variant{v}, Wanted: v.Hash}, v
}

func TestCodeThatTheProxyCannotUseIsRefusedAndItsNeighbourGoesOn(t *testing.T) {
	for _, c := range []struct {
		name, text string
		make       func(w *world) (build.Entry, *build.Variant)
	}{
		{"a module that imports an unknown function", "Unable to create Wasm plugin default.bad", func(w *world) (build.Entry, *build.Variant) {
			return w.plugin("bad", w.modules.add(wasmtest.Unlinkable(w.t)), "bad")
		}},
		{"a module whose code does not validate", "Unable to create Wasm plugin default.bad", func(w *world) (build.Entry, *build.Variant) {
			return w.plugin("bad", w.modules.add(wasmtest.BrokenCode()), "bad")
		}},
		{"Lua with a syntax error", "script load error", func(*world) (build.Entry, *build.Variant) {
			return luaEntry("bad", "function envoy_on_request(handle")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 80, 81)
			digest := w.marker("m")
			good := func(mark string) build.Entry { e, _ := w.plugin("good", digest, mark); return e }
			w.set(80, model.PhaseAuthn, good("one"))
			w.set(81, model.PhaseAuthn, good("one"))
			w.envoy()
			w.wants(80, soon, 200, "one")
			w.wants(81, soon, 200, "one")
			l := w.load(81)
			bad, badVariant := c.make(w)
			w.set(80, model.PhaseAuthn, bad, good("one"))
			if text := w.refusal(soon, badVariant); !strings.Contains(text, c.text) {
				t.Errorf("refusal %q, want Envoy's own text with %q", text, c.text)
			}
			w.wants(80, soon, 503, "") // it never ran: its fail strategy acts
			w.set(81, model.PhaseAuthn, good("two"))
			w.wants(81, soon, 200, "two")
			bad.Fail = model.FailOpen
			w.set(80, model.PhaseAuthn, bad, good("two"))
			w.wants(80, soon, 200, "two")
			healed, _ := w.plugin("bad", digest, "healed")
			w.set(80, model.PhaseAuthn, healed, good("three"))
			w.wants(80, soon, 200, "three,healed")
			l.stop(t)
		})
	}
}

func TestLuaAndWasmRunInOneChainInOrder(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	first, _ := w.plugin("first", digest, "first")
	last, _ := w.plugin("last", digest, "last")
	lua, _ := luaEntry("middle", "function envoy_on_response(handle)\n"+
		"  handle:headers():replace(\"x-plugins-response\", handle:headers():get(\"x-plugins-response\") .. \",lua\")\nend\n")
	w.set(80, model.PhaseAuthn, first, lua, last)
	w.envoy()
	w.wants(80, soon, 200, "last,lua,first")
	w.set(80, model.PhaseAuthn, last, lua, first)
	w.wants(80, soon, 200, "first,lua,last")
}

func TestManyRefusalsUnderLoadFailNoRequest(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	good, goodVariant := w.plugin("a", digest, "good")
	w.set(80, model.PhaseAuthn, good)
	w.envoy()
	w.wants(80, soon, 200, "good")
	l := w.load(80)
	l.from("good")
	for i := range 20 {
		bad, v := w.entry("a", digest, fmt.Sprintf(`{"refuse":true,"version":"%d"}`, i))
		if i%4 == 3 {
			bad, v = w.plugin("a", w.modules.add(wasmtest.Unique(wasmtest.Unlinkable(t), fmt.Sprint(i))), "bad")
		}
		bad.Variants = append(bad.Variants, goodVariant)
		w.set(80, model.PhaseAuthn, bad)
		w.refusal(soon, v)
	}
	l.stop(t)
}
