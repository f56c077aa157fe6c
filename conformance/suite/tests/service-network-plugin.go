package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/echo"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ServiceNetworkPlugin",
		Description: "NETWORK plugins run in order for the connections of a Service, also where the server speaks first; an HTTP plugin does not fit there.",
		Features:    []features.FeatureName{suite.AttachToService, suite.NetworkPlugins},
		Manifests:   []string{"base/mesh.yaml", "service-network-plugin.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("waypoint", 1)
			mail := w.Service("mail", 9025)
			w.MustUse("Service/mail", "waypoint")
			w.MustGreet(mail, echo.Banner, "text\n")
			w.Apply("plugin")
			w.MustGreet(mail, "[one]"+echo.Banner, "[one][two]text\n")
			w.Programmed("one", 1)
			w.Programmed("two", 1)
			w.MustSummarize("http", suite.False(ext.ConditionAccepted, ext.ReasonProtocolMismatch))
			w.Delete("plugin")
			w.MustGreet(mail, echo.Banner, "text\n")
		},
	})
}
