package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "TenantVM",
		Description: "Plugins of one namespace with the same module share a VM in a proxy, and those of another namespace have one of their own.",
		Features:    []features.FeatureName{suite.AttachToService, suite.Tenants},
		Manifests:   []string{"tenant-vm.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			const vms = "wasm.envoy.wasm.runtime.v8.active"
			p := w.Proxies("shared", 1)[0]
			w.Programmed("first", 1)
			w.MustAnswer(suite.Request{Address: w.Service("reviews", 9080)}, suite.Want{Status: 200, Plugins: "first"})
			one := p.Stat(vms)
			if one == 0 {
				t.Fatal("no VM is counted")
			}
			w.Apply("same")
			w.Programmed("second", 1)
			w.MustAnswer(suite.Request{Address: w.Service("reviews", 9080)}, suite.Want{Status: 200, Plugins: "first,second"})
			if n := p.Stat(vms); n != one {
				t.Errorf("%s was %d with one plugin, and is %d with two of the same namespace", vms, one, n)
			}
			w.Apply("other")
			w.Programmed(w.Other+"/third", 1)
			w.MustAnswer(suite.Request{Address: w.Service(w.Other+"/ratings", 9080)}, suite.Want{Status: 200, Plugins: "third"})
			if n := p.Stat(vms); n != 2*one {
				t.Errorf("%s was %d for one namespace, and is %d for two, want %d", vms, one, n, 2*one)
			}
		},
	})
}
