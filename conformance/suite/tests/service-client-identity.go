package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/echo"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ServiceClientIdentity",
		Description: "Plugins at a waypoint read who the client is, as ztunnel passes it, from the filter state io.istio.peer_principal: Wasm and Lua, and for connections of TCP Services.",
		Features:    []features.FeatureName{suite.AttachToService, suite.Lua, suite.NetworkPlugins, suite.ClientIdentity},
		Manifests:   []string{"base/mesh.yaml", "service-client-identity.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.Proxies("waypoint", 1)
			reviews, ratings, mail := w.Service("reviews", 9080), w.Service("ratings", 9080), w.Service("mail", 9025)
			w.MustAnswer(suite.Request{Address: ratings}, suite.Want{Status: 200})
			w.Apply("plugin")
			a := w.MustAnswer(suite.Request{Address: reviews}, suite.Want{Status: 200, Plugins: "asks"})
			if a.Property != suite.ClientID {
				t.Errorf("the WasmPlugin read %q, want %q", a.Property, suite.ClientID)
			}
			w.Programmed("te:asks", 1)
			if a = w.MustAnswer(suite.Request{Address: reviews}, suite.Want{Status: 200, Plugins: "asks"}); a.Lua != suite.ClientID {
				t.Errorf("the script read %q, want %q", a.Lua, suite.ClientID)
			}
			w.MustGreet(mail, echo.Banner, "[tells:"+suite.ClientID+"]text\n")
		},
	})
}
