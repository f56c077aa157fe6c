package identity

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// claims are what is read of a token before the API server is asked: what is wrong in a plain way costs no request, and has a
// plain text. Nothing of it is believed.
type claims struct {
	Audience audience `json:"aud"`
	Expiry   float64  `json:"exp"`
}

// audience is a list, or a single text (RFC 7519, 4.1.3).
type audience []string

// UnmarshalJSON reads both forms.
func (a *audience) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(a))
}

func (c claims) expiry() time.Time { return time.Unix(int64(c.Expiry), 0) }

// read reads a token's claims and refuses one that cannot be good.
func read(token string, now time.Time) (claims, error) {
	var c claims
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return c, refuse("the token is no token of a ServiceAccount; project one with the audience %s into the proxy's Pod", bootstrap.TokenAudience)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	switch {
	case err != nil || c.Expiry <= 0:
		return c, refuse("the token is no token of a ServiceAccount; project one with the audience %s into the proxy's Pod", bootstrap.TokenAudience)
	case !slices.Contains(c.Audience, bootstrap.TokenAudience):
		return c, refuse("the token's audience is %q, not %s; project a token with this audience into the proxy's Pod", []string(c.Audience), bootstrap.TokenAudience)
	case !now.Before(c.expiry()):
		return c, refuse("the token expired at %s; the proxy has to read its file again, which the kubelet renews", c.expiry().UTC().Format(time.RFC3339))
	}
	return c, nil
}

// refuse is the refusal of somebody who is not known.
func refuse(format string, args ...any) error {
	return status.Errorf(codes.Unauthenticated, format, args...)
}
