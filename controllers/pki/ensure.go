package pki

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldOwner is the field manager of everything that we apply.
const fieldOwner = "wasmpoint"

// tries is how often a Secret that others write at the same moment is read again.
const tries = 5

// Ensure reads the CA from its Secret, makes it when there is none (no Secret, or one without data), and publishes its
// certificate. Replicas that start together end with the same CA. The client must not be cached: the Secret is read by
// name, without a list or watch.
//
// An own CA is brought by creating the Secret beforehand. During a rotation ca.crt holds the old and the new certificate:
// all are trusted, and the one that belongs to ca.key signs.
func Ensure(ctx context.Context, c client.Client, namespace string) (*Authority, error) {
	return ensure(ctx, c, namespace, time.Now)
}

func ensure(ctx context.Context, c client.Client, namespace string, now func() time.Time) (*Authority, error) {
	a := &Authority{client: c, namespace: namespace, now: now}
	state, err := a.read(ctx, true)
	if err != nil {
		return nil, err
	}
	a.state.Store(state)
	return a, a.publish(ctx)
}

// Reload takes the Secret in again, and publishes its certificate. With an error the former CA stays in force.
func (a *Authority) Reload(ctx context.Context) error {
	state, err := a.read(ctx, false)
	if err != nil {
		return err
	}
	a.adopt(state)
	return a.publish(ctx)
}

// adopt puts a state in force. The same one keeps its certificates.
func (a *Authority) adopt(state *ca) {
	old := a.current()
	if string(old.pem) == string(state.pem) && old.signer.Equal(state.signer) {
		return
	}
	if string(old.moduleKey) != string(state.moduleKey) {
		a.former.Store(&formerKey{old.moduleKey, a.now().Add(handover)})
	}
	a.state.Store(state)
	a.mu.Lock()
	changed := slices.Clone(a.changed)
	a.mu.Unlock()
	for _, f := range changed {
		f()
	}
}

// Run reloads the CA at the given interval until ctx ends, and logs what is wrong when it changes.
func (a *Authority) Run(ctx context.Context, every time.Duration, log *slog.Logger) {
	last := ""
	wait.JitterUntilWithContext(ctx, func(ctx context.Context) {
		said := a.Warning()
		if err := a.Reload(ctx); err != nil {
			said = err.Error()
		}
		if said != "" && said != last && ctx.Err() == nil {
			log.Warn("certificate authority", "problem", said)
		}
		last = said
	}, every, 0.1, true)
}

// read reads the Secret; with create it makes what is missing, and reads again what another replica made meanwhile.
func (a *Authority) read(ctx context.Context, create bool) (*ca, error) {
	name := client.ObjectKey{Namespace: a.namespace, Name: SecretName}
	for range tries {
		var secret corev1.Secret
		err := a.client.Get(ctx, name, &secret)
		missing := apierrors.IsNotFound(err)
		if err != nil && !missing {
			return nil, fmt.Errorf("reading the CA from Secret %s: %w", name, err)
		}
		cert, key := secret.Data[CertKey], secret.Data[PrivateKey]
		switch {
		case len(cert) > 0 && len(key) > 0:
			state, err := readCA(cert, key, a.now())
			if err != nil {
				return nil, fmt.Errorf("the CA in Secret %s cannot be used: %w", name, err)
			}
			return state, nil
		case len(cert) > 0:
			return nil, fmt.Errorf("the CA in Secret %s cannot be used: key %s is missing; add it, or delete the Secret to have a CA made", name, PrivateKey)
		case len(key) > 0:
			return nil, fmt.Errorf("the CA in Secret %s cannot be used: key %s is missing; add it, or delete the Secret to have a CA made", name, CertKey)
		case !create:
			return nil, fmt.Errorf("Secret %s with the CA is gone; restore it, or restart the controller to have a new CA made, which running proxies do not trust", name)
		}
		if err := a.write(ctx, &secret, missing); err != nil && !apierrors.IsAlreadyExists(err) && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("making a CA in Secret %s: %w", name, err)
		}
	}
	return nil, fmt.Errorf("Secret %s changed %d times while the CA was read from it; try again", name, tries)
}

// write fills the Secret, if nobody else did in the meantime. It is read again then, so that whoever won, all use the same.
func (a *Authority) write(ctx context.Context, secret *corev1.Secret, missing bool) error {
	cert, key, err := Generate(a.now())
	if err != nil {
		return err
	}
	data := map[string][]byte{CertKey: cert, PrivateKey: key}
	if missing {
		return a.client.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: SecretName, Labels: labels()},
			Type:       corev1.SecretTypeOpaque, Data: data,
		}, client.FieldOwner(fieldOwner))
	}
	secret.Data = data
	return a.client.Update(ctx, secret, client.FieldOwner(fieldOwner)) // refused if it is not as it was read
}

// publish keeps the ConfigMap with the CA's certificate in step.
func (a *Authority) publish(ctx context.Context) error {
	apply := corev1ac.ConfigMap(ConfigMapName, a.namespace).WithLabels(labels()).WithData(map[string]string{CertKey: string(a.current().pem)})
	if err := a.client.Apply(ctx, apply, client.FieldOwner(fieldOwner), client.ForceOwnership); err != nil {
		return fmt.Errorf("publishing the CA's certificate in ConfigMap %s/%s: %w", a.namespace, ConfigMapName, err)
	}
	return nil
}

func labels() map[string]string { return map[string]string{"app.kubernetes.io/name": "wasmpoint"} }
