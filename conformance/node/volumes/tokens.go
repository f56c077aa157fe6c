package volumes

import (
	"context"
	"fmt"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// Token is a token of a ServiceAccount, and when it is to be replaced.
type Token struct {
	Value string
	Renew time.Time
}

// Tokens asks for tokens and keeps them until it is time for others.
type Tokens struct {
	client  kubernetes.Interface
	renewAt float64

	mu   sync.Mutex
	held map[tokenKey]Token
}

type tokenKey struct {
	pod      types.UID
	audience string
	seconds  int64
}

// NewTokens replaces a token when this part of its life is over.
func NewTokens(client kubernetes.Interface, renewAt float64) *Tokens {
	return &Tokens{client: client, renewAt: renewAt, held: map[tokenKey]Token{}}
}

// For gives a token that is bound to the Pod.
func (t *Tokens) For(ctx context.Context, pod *corev1.Pod, p *corev1.ServiceAccountTokenProjection) (Token, error) {
	seconds := int64(time.Hour / time.Second)
	if p.ExpirationSeconds != nil {
		seconds = *p.ExpirationSeconds
	}
	key := tokenKey{pod.UID, p.Audience, seconds}
	t.mu.Lock()
	held, found := t.held[key]
	t.mu.Unlock()
	begin := time.Now()
	if found && begin.Before(held.Renew) {
		return held, nil
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: &seconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}}
	if p.Audience != "" {
		request.Spec.Audiences = []string{p.Audience}
	}
	answer, err := t.client.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		if found { // as long as it is valid, the old one is better than none
			return Token{Value: held.Value, Renew: begin.Add(time.Second)}, nil
		}
		return Token{}, fmt.Errorf("token of ServiceAccount %s: %w", pod.Spec.ServiceAccountName, err)
	}
	life := answer.Status.ExpirationTimestamp.Sub(begin)
	held = Token{Value: answer.Status.Token, Renew: begin.Add(time.Duration(float64(life) * t.renewAt))}
	t.mu.Lock()
	t.held[key] = held
	t.mu.Unlock()
	return held, nil
}

// Forget drops the tokens of a Pod.
func (t *Tokens) Forget(pod types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range t.held {
		if key.pod == pod {
			delete(t.held, key)
		}
	}
}
