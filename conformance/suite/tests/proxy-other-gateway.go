package tests

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

func init() {
	register(suite.Test{
		ShortName:   "ProxyOtherGateway",
		Description: "A proxy whose token is of another Gateway's Pod, or of another Pod than it says to be, gets nothing, is counted and told in the log.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.ProxyIdentity},
		Manifests:   []string{"proxy-other-gateway.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			thief, sibling, victim := w.PodOf("thief"), w.PodOf("thief"), w.PodOf("victim")
			gateway := types.NamespacedName{Namespace: w.Namespace, Name: "victim"}
			own := thief.Token(bootstrap.TokenAudience)
			w.MustRefuse(thief, "OtherGateway", func() { thief.StartWith(suite.Shows{Token: own, Says: gateway}) },
				"PermissionDenied", "says that it is a proxy of Gateway "+gateway.String(), "it is one of Gateway "+w.Namespace+"/thief")
			w.MustRefuse(sibling, "OtherNode", func() { sibling.StartWith(suite.Shows{Token: own}) },
				"PermissionDenied", "the token is of Pod "+w.Namespace+"/"+thief.Name)
			victim.Start()
			thief.Start()
			w.MustAnswer(suite.Request{Address: w.Gateway("victim", 80)}, suite.Want{Status: 404}) // there is no route
			w.MustAnswer(suite.Request{Address: w.Gateway("thief", 80)}, suite.Want{Status: 404})
		},
	})
}
