package pki

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

func published(t *testing.T, c client.Client, namespace string) string {
	t.Helper()
	var m corev1.ConfigMap
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: ConfigMapName}, &m); err != nil {
		t.Fatal(err)
	}
	return m.Data[CertKey]
}

func namespaceFor(t *testing.T, c client.Client, name string) string {
	t.Helper()
	if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		t.Fatal(err)
	}
	return name
}

// secret makes or changes the Secret.
func secret(t *testing.T, c client.Client, namespace string, data map[string][]byte) {
	t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: SecretName}, Data: data}
	err := c.Create(t.Context(), s)
	if err != nil {
		err = c.Update(t.Context(), s)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheCAInACluster(t *testing.T) {
	k := cluster.Start(t)
	c := k.Client()
	t.Run("replicas that start together use the same CA", func(t *testing.T) { startTogether(t, c) })
	t.Run("an own CA is taken, and a broken one named", func(t *testing.T) { ownCA(t, c) })
	t.Run("a changed Secret is taken in, a broken one is not", func(t *testing.T) { changedSecret(t, c) })
}

func startTogether(t *testing.T, c client.Client) {
	for _, namespace := range []string{namespaceFor(t, c, "race"), namespaceFor(t, c, "race-empty")} {
		if namespace == "race-empty" {
			secret(t, c, namespace, nil) // as a manifest may bring it, so that no right to create Secrets is needed
		}
		var all sync.WaitGroup
		var got [8]*Authority
		var errs [8]error
		for i := range got {
			all.Go(func() { got[i], errs[i] = Ensure(context.Background(), c, namespace) })
		}
		all.Wait()
		for i := range got {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			if !bytes.Equal(got[i].CAPEM(), got[0].CAPEM()) {
				t.Errorf("%s: replicas 0 and %d have different CAs", namespace, i)
			}
		}
		if p := published(t, c, namespace); p != string(got[0].CAPEM()) {
			t.Errorf("%s: published %q", namespace, p)
		}
		if _, err := handshake(t, serverSide(t, got[1]), trusting(got[2], ServerName(namespace))); err != nil {
			t.Error(err)
		}
	}
}

func ownCA(t *testing.T, c client.Client) {
	namespace := namespaceFor(t, c, "own")
	cert, key := generate(t, time.Now())
	_, otherKey := generate(t, time.Now())
	for _, w := range []struct {
		data map[string][]byte
		want string
	}{
		{map[string][]byte{CertKey: cert}, "the CA in Secret own/wasmpoint-ca cannot be used: key ca.key is missing; "},
		{map[string][]byte{PrivateKey: key}, "the CA in Secret own/wasmpoint-ca cannot be used: key ca.crt is missing; "},
		{map[string][]byte{CertKey: cert, PrivateKey: otherKey}, "the CA in Secret own/wasmpoint-ca cannot be used: ca.key does not match ca.crt: "},
	} {
		secret(t, c, namespace, w.data)
		if _, err := Ensure(t.Context(), c, namespace); err == nil || !strings.HasPrefix(err.Error(), w.want) {
			t.Errorf("got %v, want %s", err, w.want)
		}
	}
	secret(t, c, namespace, map[string][]byte{CertKey: cert, PrivateKey: key})
	a, err := Ensure(t.Context(), c, namespace)
	if err != nil || !bytes.Equal(a.CAPEM(), cert) || published(t, c, namespace) != string(cert) {
		t.Fatalf("own CA: %v", err)
	}
}

func changedSecret(t *testing.T, c client.Client) {
	namespace := namespaceFor(t, c, "rotation")
	a, err := Ensure(t.Context(), c, namespace)
	if err != nil {
		t.Fatal(err)
	}
	old := trusting(a, "localhost")
	server := serverSide(t, a)
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan struct{})
	go func() {
		a.Run(ctx, 10*time.Millisecond, slog.New(slog.NewTextHandler(&log, nil)))
		close(running)
	}()
	cert, key := generate(t, time.Now())
	secret(t, c, namespace, map[string][]byte{CertKey: append(a.CAPEM(), cert...), PrivateKey: key})
	testbed.Eventually(t, 20*time.Second, "the new CA signs", func() (bool, string) {
		_, err := handshake(t, server, old)
		return err != nil && strings.Contains(err.Error(), "unknown authority"), "the old one still does"
	})
	want := string(a.CAPEM())
	if _, err := handshake(t, server, trusting(a, "localhost")); err != nil || !strings.HasSuffix(want, string(cert)) {
		t.Errorf("after the rotation: %v", err)
	}
	if err := c.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ConfigMapName}}); err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, 20*time.Second, "a deleted ConfigMap is there again", func() (bool, string) {
		var m corev1.ConfigMap
		err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: ConfigMapName}, &m)
		return err == nil && m.Data[CertKey] == want, m.Data[CertKey]
	})
	cancel()
	<-running
	if log.Len() > 0 {
		t.Errorf("logged %s", log.String())
	}
	secret(t, c, namespace, map[string][]byte{CertKey: cert})
	if err := a.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "key ca.key is missing") {
		t.Errorf("got %v", err)
	}
	if err := c.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: SecretName}}); err != nil {
		t.Fatal(err)
	}
	if err := a.Reload(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "Secret rotation/wasmpoint-ca with the CA is gone; ") {
		t.Errorf("got %v", err)
	}
	if string(a.CAPEM()) != want {
		t.Error("a broken Secret took the CA away")
	}
}
