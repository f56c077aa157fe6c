package identity

import (
	"context"
	"crypto/x509"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// certified are the certificates of one open stream.
type certified struct {
	chain []*x509.Certificate
	end   context.CancelFunc
}

// CheckCertificates has the certificates of streams checked, which the handshake did once for all streams of a connection. Call it
// before the first stream, and recheck when the answers may be others: it ends the streams whose certificate is not good any more.
func (a *Authenticator) CheckCertificates(check func(chain []*x509.Certificate) error) (recheck func()) {
	a.streams.check = check
	return func() {
		if n := a.streams.recheck(); n > 0 {
			a.log.Info("streams of proxies ended: their certificates are not of this controller's CA any more", "streams", n)
		}
	}
}

// byCertificate admits the stream of a certificate, which ends with it.
func (a *Authenticator) byCertificate(ctx context.Context, cert *x509.Certificate) (reason string, err error) {
	if _, err := gatewayOfCertificate(cert); err != nil {
		return ReasonBadCert, err
	}
	end, ok := endOf(ctx)
	if !ok {
		return ReasonUnreachable, status.Error(codes.Internal, "the server was made without identity.ServerOption")
	}
	chain := chainOf(ctx)
	a.streams.addCertified(ctx, &certified{chain, end}) // before it is checked, or a change could be missed
	if a.streams.check != nil {
		if err := a.streams.check(chain); err != nil {
			return ReasonBadCert, refuse("the proxy's certificate is not good any more: %v; give the proxy a new one and restart it", err)
		}
	}
	return "", nil
}

// addCertified notes a stream until its context ends, and ends it with its certificate.
func (s *streams) addCertified(ctx context.Context, one *certified) {
	expiry := time.AfterFunc(time.Until(one.chain[0].NotAfter), one.end)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.certified == nil {
		s.certified = map[*certified]struct{}{}
	}
	s.certified[one] = struct{}{}
	context.AfterFunc(ctx, func() {
		expiry.Stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.certified, one)
	})
}

// recheck ends the streams whose certificates are not good any more.
func (s *streams) recheck() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.certified {
		if s.check(one.chain) != nil {
			one.end()
			n++
		}
	}
	return n
}
