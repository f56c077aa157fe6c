package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/cache"

	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// Reviewer asks the API server about a token (client-go's AuthenticationV1().TokenReviews()). Its client should have no limit
// on requests per second: all proxies come at once when a replica starts.
type Reviewer interface {
	Create(ctx context.Context, review *authenticationv1.TokenReview, opts metav1.CreateOptions) (*authenticationv1.TokenReview, error)
}

// reviews knows whose tokens are, and asks about each once.
type reviews struct {
	reviewer       Reviewer
	now            func() time.Time
	known, refused *cache.LRUExpireCache
	questions      questions
	places         *places
}

func newReviews(r Reviewer, now func() time.Time) *reviews {
	return &reviews{
		reviewer: r, now: now, places: newPlaces(), questions: questions{all: map[[sha256.Size]byte]*question{}},
		known: cache.NewLRUExpireCacheWithClock(maxKnown, clock(now)), refused: cache.NewLRUExpireCacheWithClock(maxRefused, clock(now)),
	}
}

// clock is a function as the clock of a cache.
type clock func() time.Time

// Now is the time.
func (c clock) Now() time.Time { return c() }

// pod is the Pod of a token. A token is kept as its hash only.
func (r *reviews) pod(ctx context.Context, token string) (pod, error) {
	c, err := read(token, r.now())
	if err != nil {
		return pod{}, err
	}
	key := sha256.Sum256([]byte(token))
	if p, ok := r.known.Get(key); ok {
		return p.(pod), nil
	}
	if err, ok := r.refused.Get(key); ok {
		return pod{}, err.(error)
	}
	from := host(ctx)
	p, err := r.questions.answer(ctx, key, func(ctx context.Context) (pod, error) {
		p, err := r.ask(ctx, token, from)
		switch {
		case err == nil:
			r.known.Add(key, p, min(knownFor, c.expiry().Sub(r.now())))
		case status.Code(err) == codes.Unauthenticated:
			r.refused.Add(key, err, refusedFor)
		}
		return p, err
	})
	if _, is := status.FromError(err); !is { // the stream ended before the answer came
		err = status.FromContextError(err).Err()
	}
	return p, err
}

// host is where a stream comes from, whatever its port.
func host(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	name, _, err := net.SplitHostPort(p.Addr.String())
	if err != nil {
		return p.Addr.String()
	}
	return name
}

// ask asks the API server, when it is the turn of the one who wants to know.
func (r *reviews) ask(ctx context.Context, token, from string) (pod, error) {
	give, err := r.places.take(ctx, from)
	if err != nil {
		return pod{}, status.Errorf(codes.Unavailable, "too many tokens are asked about at once: there was no turn within %s; connect again", reviewTimeout)
	}
	defer give()
	answer, err := r.reviewer.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{bootstrap.TokenAudience}},
	}, metav1.CreateOptions{})
	if apierrors.IsForbidden(err) {
		return pod{}, status.Error(codes.Unavailable, "the controller may not ask the API server about tokens; grant it create on tokenreviews.authentication.k8s.io (manifests/rbac)")
	}
	if err != nil {
		return pod{}, status.Errorf(codes.Unavailable, "the API server does not say whose the token is: %v; connect again", err)
	}
	return bound(answer.Status)
}

// bound is the Pod that a reviewed token is bound to.
func bound(s authenticationv1.TokenReviewStatus) (pod, error) {
	switch {
	case !s.Authenticated: // kube-apiserver gives each token that it refuses an error, so that does not tell whether it could judge
		why := s.Error
		if why == "" {
			why = "it was not issued by this cluster, or its Pod or ServiceAccount is gone"
		}
		return pod{}, refuse("the API server refuses the token: %s; the proxy has to read its file again, which the kubelet renews", why)
	case !slices.Contains(s.Audiences, bootstrap.TokenAudience):
		return pod{}, refuse("the API server does not say that the token is for the audience %s; it has to support audiences", bootstrap.TokenAudience)
	}
	namespace, err := namespaceOf(s.User.Username)
	name, uid := s.User.Extra[extraPodName], s.User.Extra[extraPodUID]
	if err != nil || len(name) != 1 || len(uid) != 1 {
		return pod{}, refuse("the token of %s is not bound to a Pod; use a projected one of the proxy's own Pod", s.User.Username)
	}
	return pod{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name[0]}, uid: types.UID(uid[0])}, nil
}

// namespaceOf is the namespace of a ServiceAccount, which is that of its Pods.
func namespaceOf(user string) (string, error) {
	rest, ok := strings.CutPrefix(user, "system:serviceaccount:")
	namespace, name, two := strings.Cut(rest, ":")
	if !ok || !two || namespace == "" || name == "" {
		return "", errors.New("not a ServiceAccount")
	}
	return namespace, nil
}
