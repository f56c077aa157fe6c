package tests

import (
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "TenantLua",
		Description: "Lua and the proxy's environment are not for plugins of another namespace than the waypoint's, until the waypoint's owner allows them, and no longer than that.",
		Features:    []features.FeatureName{suite.AttachToService, suite.Lua, suite.Tenants},
		Manifests:   []string{"tenant-lua.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.Proxies(w.Other+"/shared", 1)
			reviews := suite.Request{Address: w.Service("reviews", 9080)}
			waypoint := &gatewayv1.Gateway{}
			waypoint.Namespace, waypoint.Name = w.Other, "shared"
			refused := func() {
				t.Helper()
				w.MustSummarize("te:lua", suite.False(ext.ConditionAccepted, ext.ReasonNotPermitted, ext.AnnotationAllowLuaFrom+": "+w.Namespace))
				w.MustSummarize("host", suite.False(ext.ConditionAccepted, ext.ReasonNotPermitted, ext.AnnotationAllowHostEnvFrom+": "+w.Namespace))
				w.MustSummarize("plain", suite.True(ext.ConditionAccepted), suite.True(ext.ConditionProgrammed, "1/1 proxies run it"))
				if a := w.MustAnswer(reviews, suite.Want{Status: 200, Plugins: "plain"}); a.Lua != "" {
					t.Errorf("the script runs: x-lua is %q", a.Lua)
				}
			}
			refused()
			w.Patch(waypoint, `{"metadata": {"annotations": {"`+ext.AnnotationAllowLuaFrom+`": "somebody, `+w.Namespace+`", "`+ext.AnnotationAllowHostEnvFrom+`": "`+w.Namespace+`"}}}`)
			w.Programmed("te:lua", 1)
			w.Programmed("host", 1)
			if a := w.MustAnswer(reviews, suite.Want{Status: 200, Plugins: "plain,host"}); a.Lua != "here" {
				t.Errorf("x-lua is %q", a.Lua)
			}
			w.Patch(waypoint, `{"metadata": {"annotations": {"`+ext.AnnotationAllowLuaFrom+`": null, "`+ext.AnnotationAllowHostEnvFrom+`": null}}}`)
			refused()
		},
	})
}
