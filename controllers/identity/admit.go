package identity

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// Admit tells whether a stream may speak: whether it shows a good token, or a certificate of a proxy. Whose proxy it then says to
// be, Identify looks at. The error is a gRPC status, as Identify's.
func (a *Authenticator) Admit(ctx context.Context) error {
	reason, err := a.admit(ctx)
	if err != nil && ctx.Err() == nil { // a stream that ended meanwhile was not refused
		a.refused(reason)
	}
	return err
}

func (a *Authenticator) admit(ctx context.Context) (reason string, err error) {
	if token := bearer(ctx); token != "" {
		_, reason, err = a.tokenPod(ctx, token)
		return reason, err
	}
	cert := certificate(ctx)
	if cert == nil {
		return ReasonNoCredentials, errNoCredentials
	}
	return a.byCertificate(ctx, cert)
}

// errNoCredentials refuses who shows nothing.
var errNoCredentials = refuse(
	"the proxy shows neither a token nor a certificate; start it with the token of its Pod (`wasmpoint bootstrap --token-file`, audience %s)", bootstrap.TokenAudience)

// tokenPod is the Pod to which a token is bound.
func (a *Authenticator) tokenPod(ctx context.Context, token string) (p pod, reason string, err error) {
	p, err = a.reviews.pod(ctx, token)
	switch status.Code(err) {
	case codes.OK:
		return p, "", nil
	case codes.Unauthenticated:
		return p, ReasonBadToken, err
	}
	return p, ReasonUnreachable, err
}
