package identity

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// token is one that reads well, and whose signature is its name.
func token(name string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	claims := fmt.Sprintf(`{"aud":%q,"exp":%d}`, bootstrap.TokenAudience, time.Now().Add(time.Hour).Unix())
	return strings.Join([]string{part(`{"alg":"ES256"}`), part(claims), name}, ".")
}

// slow is an API server that knows the token "good" and thinks about all others until nobody waits.
type slow struct {
	asked, dropped chan string
}

func newSlow() *slow { return &slow{asked: make(chan string, 1000), dropped: make(chan string, 1000)} }

func (s *slow) Create(ctx context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	name := strings.Split(review.Spec.Token, ".")[2]
	s.asked <- name
	if name == "good" {
		return &authenticationv1.TokenReview{Status: authenticationv1.TokenReviewStatus{
			Authenticated: true, Audiences: review.Spec.Audiences,
			User: authenticationv1.UserInfo{Username: "system:serviceaccount:default:proxy", Extra: map[string]authenticationv1.ExtraValue{
				extraPodName: {"edge-1"}, extraPodUID: {"uid"},
			}},
		}}, nil
	}
	<-ctx.Done()
	s.dropped <- name
	return nil, ctx.Err()
}

// from is a stream of an address, each from another port.
func from(ctx context.Context, host string, port int) context.Context {
	return peer.NewContext(ctx, &peer.Peer{Addr: &net.TCPAddr{IP: net.ParseIP(host), Port: port}})
}

// withToken is a stream that shows a token.
func withToken(ctx context.Context, token string) context.Context {
	return metadata.NewIncomingContext(ctx, metadata.Pairs("authorization", "Bearer "+token))
}

func TestTokensThatSomebodyMadeUpLeaveOthersTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlow()
		r := newReviews(s, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 500 {
			all.Go(func() { _, _ = r.pod(from(ctx, "10.0.0.66", 1000+i), token(fmt.Sprint("forged-", i))) })
		}
		synctest.Wait()
		if n := len(s.asked); n != maxOfPeer {
			t.Errorf("the API server is asked %d questions of one address at once, want %d", n, maxOfPeer)
		}
		begin := time.Now()
		if p, err := r.pod(from(ctx, "10.0.0.1", 1000), token("good")); err != nil || p.Name != "edge-1" || time.Since(begin) > 0 {
			t.Errorf("a good token from elsewhere: %v %v after %s, want its Pod at once", p, err, time.Since(begin))
		}
		cancel()
		all.Wait()
		synctest.Wait()
		if len(r.places.peers) != 0 || len(r.questions.all) != 0 {
			t.Errorf("left behind: %v, %v", r.places.peers, r.questions.all)
		}
	})
}

func TestWhoGetsNoTurnIsToldSoInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReviews(newSlow(), time.Now)
		for range maxOfPeer { // questions that take longer than anybody waits
			give, err := r.places.take(t.Context(), "10.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			defer give()
		}
		begin := time.Now()
		_, err := r.pod(from(t.Context(), "10.0.0.1", 2000), token("late"))
		if status.Code(err) != codes.Unavailable || time.Since(begin) != reviewTimeout {
			t.Errorf("%v after %s, want Unavailable after %s", err, time.Since(begin), reviewTimeout)
		}
		if want := "there was no turn within 10s; connect again"; !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	})
}

func TestAQuestionIsAskedOnceAndEndsWithTheLastWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlow()
		r := newReviews(s, time.Now)
		one, leave := context.WithCancel(t.Context())
		other, leaveToo := context.WithCancel(t.Context())
		errs := make(chan error, 2)
		for i, ctx := range []context.Context{one, other} {
			go func() {
				_, err := r.pod(from(ctx, "10.0.0.1", i), token("same"))
				errs <- err
			}()
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		if err := <-errs; status.Code(err) != codes.Canceled {
			t.Errorf("who left is told %v, want Canceled", err)
		}
		if len(s.asked) != 1 || len(s.dropped) != 0 {
			t.Errorf("asked %d times, dropped %d times while one waits; want once and never", len(s.asked), len(s.dropped))
		}
		leaveToo()
		synctest.Wait()
		if len(s.dropped) != 1 {
			t.Error("the question goes on, though nobody waits for its answer")
		}
	})
}

func TestAStreamThatEndedIsNotCountedAsRefused(t *testing.T) {
	counted := 0
	a := New(Options{Reviews: newSlow(), Refused: func(string) { counted++ }})
	ctx, cancel := context.WithCancel(withToken(t.Context(), token("same")))
	cancel()
	if err := a.Admit(ctx); status.Code(err) != codes.Canceled || counted != 0 {
		t.Errorf("%v, counted %d times; want Canceled, and not counted", err, counted)
	}
	if err := a.Admit(withToken(t.Context(), "none")); status.Code(err) != codes.Unauthenticated || counted != 1 {
		t.Errorf("%v, counted %d times; want Unauthenticated, counted once", err, counted)
	}
}
