package suite

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// AgeBy waits until what is created from now on is younger than a WasmPlugin: the times of objects are whole seconds.
func (w *World) AgeBy(name string) {
	w.t.Helper()
	p := &ext.WasmPlugin{}
	w.Get(client.ObjectKey{Name: name}, p)
	eventually(w.t, w.Timeouts.Status, name+" is older than a second", func() (bool, string) {
		probe := &corev1.ConfigMap{}
		probe.Namespace, probe.GenerateName = w.Namespace, "time-"
		if err := w.client.Create(context.Background(), probe, client.DryRunAll); err != nil {
			return false, err.Error()
		}
		return probe.CreationTimestamp.After(p.CreationTimestamp.Time), "the API server's time is " + probe.CreationTimestamp.String()
	})
}

// PatchStatus changes the status of a WasmPlugin as another controller would: it reads, changes and writes, and begins anew
// when somebody else was faster.
func (w *World) PatchStatus(name string, change func(*ext.PluginStatus)) {
	w.t.Helper()
	eventually(w.t, w.Timeouts.Status, "status of "+name+" is written", func() (bool, string) {
		p := &ext.WasmPlugin{}
		w.Get(client.ObjectKey{Name: name}, p)
		change(&p.Status)
		err := w.client.Status().Update(context.Background(), p)
		if err != nil && !apierrors.IsConflict(err) {
			w.t.Fatal(err)
		}
		return err == nil, fmt.Sprint(err)
	})
}

// TLSSecret writes a Secret with a new certificate for this common name, signed by itself.
func (w *World) TLSSecret(name, commonName string) {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(w.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: commonName}, DNSNames: []string{commonName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(w.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(w.t, err)
	secret := &corev1.Secret{Type: corev1.SecretTypeTLS, Data: map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}}
	secret.Namespace, secret.Name = w.Namespace, name
	ctx := context.Background()
	err = w.client.Create(ctx, secret)
	if apierrors.IsAlreadyExists(err) {
		must(w.t, w.client.Update(ctx, secret))
		return
	}
	must(w.t, err)
	w.t.Cleanup(func() {
		if err := w.client.Delete(ctx, secret); client.IgnoreNotFound(err) != nil {
			w.t.Errorf("Secret %s is left over: %v", name, err)
		}
	})
}
