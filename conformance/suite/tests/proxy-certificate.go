package tests

import (
	"testing"
	"time"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ProxyCertificate",
		Description: "A proxy outside of the cluster is known by a certificate of the controller's CA for its Gateway, and one whose certificate has expired, or is for another Gateway, gets nothing and is counted and told in the log.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.ProxyIdentity},
		Manifests:   []string{"proxy-certificate.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			p := w.PodOf("certified")
			id := "outside-" + w.Namespace
			show := func(certificate []byte) func() {
				return func() { p.StartWith(suite.Shows{Certificate: certificate, ID: id}) }
			}
			later := time.Now().Add(time.Hour)
			w.MustRefuse(p, "BadCertificate", show(w.ClientCertificate("certified", time.Now().Add(-time.Minute))), "expired", w.Namespace+"/certified")
			w.MustRefuse(p, "OtherGateway", show(w.ClientCertificate("other", later)), id, "PermissionDenied", "by its certificate it is one of Gateway "+w.Namespace+"/other")
			show(w.ClientCertificate("certified", later))()
			p.MustBeReady()
			w.MustAnswer(suite.Request{Address: w.Gateway("certified", 80)}, suite.Want{Status: 404}) // there is no route
		},
	})
}
