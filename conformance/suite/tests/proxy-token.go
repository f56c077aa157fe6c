package tests

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

func init() {
	register(suite.Test{
		ShortName:   "ProxyToken",
		Description: "A proxy without a token, or with one that is forged, expired or of another audience, gets nothing, is counted and told in the log, and the same proxy with its Pod's own token is served.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.ProxyIdentity},
		Manifests:   []string{"proxy-token.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			p, past := w.PodOf("tokens"), time.Now().Add(-time.Minute)
			show := func(token string) func() { return func() { p.StartWith(suite.Shows{Token: token}) } }
			w.MustRefuse(p, "NoCredentials", show(""), "Unauthenticated", "the proxy shows neither a token nor a certificate")
			w.MustRefuse(p, "BadToken", show(p.Token("example.com/"+w.Namespace)), "Unauthenticated", "example.com/"+w.Namespace, "not "+bootstrap.TokenAudience)
			w.MustRefuse(p, "BadToken", show(forged(p, time.Now().Add(time.Hour))), "Unauthenticated", "the API server refuses the token")
			w.MustRefuse(p, "BadToken", show(forged(p, past)), "Unauthenticated", "the token expired at "+past.UTC().Format(time.RFC3339))
			p.Start()
			w.MustAnswer(suite.Request{Address: w.Gateway("tokens", 80)}, suite.Want{Status: 404}) // there is no route
		},
	})
}

// forged is the Pod's own token with another expiry, and so without a signature that anybody would make.
func forged(p *suite.Proxy, expiry time.Time) string {
	parts := strings.Split(p.Token(bootstrap.TokenAudience), ".")
	claims := fmt.Sprintf(`{"aud":[%q],"exp":%d,"sub":"system:serviceaccount:forged:forged"}`, bootstrap.TokenAudience, expiry.Unix())
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(claims))
	return strings.Join(parts, ".")
}
