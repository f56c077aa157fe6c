package tests

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

func init() {
	register(suite.Test{
		ShortName:   "ProxyForeignSlot",
		Description: "A proxy that subscribes to a slot of another Gateway, beside its own, gets its own alone, and the attempt is counted and told in the log.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.ProxyIdentity},
		Manifests:   []string{"proxy-foreign-slot.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			owner := w.Proxies("owner", 1)[0]
			w.Programmed("secret", 1)
			const metric = "wasmpoint_foreign_subscriptions_total"
			before := w.Metric(metric)
			slot := names.Slot(model.Scope{Gateway: types.NamespacedName{Namespace: w.Namespace, Name: "owner"}, Port: 80}, model.PhaseAuthn)
			if config := owner.Config(); !strings.Contains(config, slot) || !strings.Contains(config, "only-for-the-owner") {
				t.Fatalf("the owner has no slot %s with the plugin: %s", slot, config)
			}
			spy := w.PodOf("spy")
			spy.StartWith(suite.Shows{Token: spy.Token(bootstrap.TokenAudience), Asks: slot})
			spy.MustBeReady()
			w.MustTell("proxy asks for a slot of another gateway", slot, spy.Name)
			if now := w.Metric(metric); now <= before {
				t.Errorf("%s was %v, and is %v", metric, before, now)
			}
			w.MustStay(suite.Request{Address: w.Gateway("spy", 80)}, suite.Want{Status: 404}) // its own listener; there is no route
			if config := spy.Config(); strings.Contains(config, "only-for-the-owner") {
				t.Errorf("the spy has the owner's plugin: %s", config)
			}
		},
	})
}
