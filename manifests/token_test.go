package manifests

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/cluster"
)

// asController starts a cluster with what is installed and a few objects of a team, and gives a client with the token of
// the controller's ServiceAccount.
func asController(t *testing.T) (*cluster.Cluster, client.WithWatch) {
	t.Helper()
	c := cluster.Start(t, ourCRDs)
	apply(t, c, "install.yaml", objects(t, Install))
	makeNamespaces(c, "team")
	meta := metav1.ObjectMeta{Name: "x", Namespace: "team"}
	c.Apply(
		&corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"key": "value"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "another", Namespace: namespace}},
		&corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}}},
		&gatewayv1.Gateway{ObjectMeta: meta, Spec: gatewayv1.GatewaySpec{GatewayClassName: "wasmpoint", Listeners: []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: "HTTP"}}}},
	)
	eventually(t, "a WasmPlugin", func() error {
		return c.TryApply(&v1alpha1.WasmPlugin{ObjectMeta: meta, Spec: v1alpha1.WasmPluginSpec{WasmConfig: v1alpha1.WasmConfig{URL: "oci://registry.example/x"}}})
	})
	config, err := clientcmd.BuildConfigFromFlags("", c.KubeconfigFor(namespace, "wasmpoint"))
	if err != nil {
		t.Fatal(err)
	}
	controller, err := client.NewWithWatch(config, client.Options{Scheme: cluster.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return c, controller
}

func merge(text string) client.Patch { return client.RawPatch(types.MergePatchType, []byte(text)) }

func TestAProgramWithTheTokenDoesWhatTheControllerDoesAndIsRefusedTheRest(t *testing.T) {
	_, c := asController(t)
	ctx := context.Background()
	team := metav1.ObjectMeta{Name: "x", Namespace: "team"}
	own := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, Namespace: namespace} }
	now := metav1.NewMicroTime(time.Now())
	lease := &coordinationv1.Lease{ObjectMeta: own("wasmpoint"), Spec: coordinationv1.LeaseSpec{RenewTime: &now}}
	condition := `{"status": {"conditions": [{"type": "wasmpoint.dev/WasmPluginAffected", "status": "True", "reason": "Affected", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}`

	for _, tt := range []struct {
		what string
		do   func() error
	}{
		{"list plugins", func() error { return c.List(ctx, &v1alpha1.WasmPluginList{}) }},
		{"read a Secret by name", func() error { return c.Get(ctx, client.ObjectKey{Namespace: "team", Name: "x"}, &corev1.Secret{}) }},
		{"status of a plugin by patch", func() error {
			return c.Status().Patch(ctx, &v1alpha1.WasmPlugin{ObjectMeta: team}, merge(`{"status": {"observedGeneration": 1}}`))
		}},
		{"status of a Gateway by apply", func() error {
			return c.Status().Patch(ctx, &gatewayv1.Gateway{ObjectMeta: team}, client.RawPatch(types.ApplyPatchType, []byte(
				`{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", `+condition[1:])), client.FieldOwner("wasmpoint"), client.ForceOwnership)
		}},
		{"status of a Service by apply", func() error {
			return c.Status().Patch(ctx, &corev1.Service{ObjectMeta: team}, client.RawPatch(types.ApplyPatchType, []byte(
				`{"apiVersion": "v1", "kind": "Service", `+condition[1:])), client.FieldOwner("wasmpoint"), client.ForceOwnership)
		}},
		{"an event on a plugin", func() error {
			return c.Create(ctx, &corev1.Event{ObjectMeta: team, InvolvedObject: corev1.ObjectReference{Kind: "WasmPlugin", Namespace: "team", Name: "x"}, Reason: "Programmed", Type: "Normal"})
		}},
		{"make the Lease", func() error { return c.Create(ctx, lease) }},
		{"renew the Lease", func() error { return c.Update(ctx, lease) }},
		{"watch the Lease", func() error {
			return c.List(ctx, &coordinationv1.LeaseList{}, client.InNamespace(namespace), client.MatchingFields{"metadata.name": "wasmpoint"})
		}},
		{"keep a last good version", func() error {
			return c.Create(ctx, &appsv1.ControllerRevision{ObjectMeta: own("good"), Revision: 1, Data: runtime.RawExtension{Raw: []byte("{}")}})
		}},
		{"drop a last good version", func() error {
			return c.Delete(ctx, &appsv1.ControllerRevision{ObjectMeta: own("good")})
		}},
		{"make the authority", func() error { return c.Create(ctx, &corev1.Secret{ObjectMeta: own("wasmpoint-ca")}) }},
		{"renew the authority", func() error {
			return c.Patch(ctx, &corev1.Secret{ObjectMeta: own("wasmpoint-ca")}, merge(`{"stringData": {"ca.crt": "new"}}`))
		}},
		{"publish its certificate", func() error { return c.Create(ctx, &corev1.ConfigMap{ObjectMeta: own("wasmpoint-ca")}) }},
	} {
		if err := tt.do(); err != nil {
			t.Errorf("%s: %v", tt.what, err)
		}
	}

	for _, tt := range []struct {
		what string
		do   func() error
	}{
		{"list all Secrets", func() error { return c.List(ctx, &corev1.SecretList{}) }},
		{"list a team's Secrets", func() error { return c.List(ctx, &corev1.SecretList{}, client.InNamespace("team")) }},
		{"list its own Secrets", func() error { return c.List(ctx, &corev1.SecretList{}, client.InNamespace(namespace)) }},
		{"change a plugin", func() error {
			return c.Patch(ctx, &v1alpha1.WasmPlugin{ObjectMeta: team}, merge(`{"spec": {"phase": "AUTHN"}}`))
		}},
		{"delete a plugin", func() error { return c.Delete(ctx, &v1alpha1.WasmPlugin{ObjectMeta: team}) }},
		{"change a Gateway", func() error {
			return c.Patch(ctx, &gatewayv1.Gateway{ObjectMeta: team}, merge(`{"metadata": {"labels": {"a": "b"}}}`))
		}},
		{"replace a Service", func() error { return c.Update(ctx, &corev1.Service{ObjectMeta: team}) }},
		{"change a route", func() error {
			return c.Patch(ctx, &gatewayv1.HTTPRoute{ObjectMeta: team}, merge(`{"metadata": {"labels": {"a": "b"}}}`))
		}},
		{"change a Secret of a team", func() error {
			return c.Patch(ctx, &corev1.Secret{ObjectMeta: team}, merge(`{"stringData": {"a": "b"}}`))
		}},
		{"change another Secret of its own namespace", func() error {
			return c.Patch(ctx, &corev1.Secret{ObjectMeta: own("another")}, merge(`{"stringData": {"a": "b"}}`))
		}},
		{"make a Secret elsewhere", func() error {
			return c.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "y", Namespace: "team"}})
		}},
		{"make a Lease elsewhere", func() error { return c.Create(ctx, &coordinationv1.Lease{ObjectMeta: team}) }},
		{"make a Pod", func() error {
			return c.Create(ctx, &corev1.Pod{ObjectMeta: own("pod"), Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}})
		}},
		{"give itself more", func() error {
			return c.Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "more"},
				RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
				Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "wasmpoint", Namespace: namespace}}})
		}},
	} {
		if err := tt.do(); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want it to be forbidden", tt.what, err)
		}
	}
}

func TestAWatchOfOneSecretBeginsWithTheSecretAsItIsWithoutAList(t *testing.T) {
	admin, c := asController(t)
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	w, err := c.Watch(ctx, &corev1.SecretList{}, client.InNamespace("team"), client.MatchingFields{"metadata.name": "x"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	next := func(value string) {
		t.Helper()
		event, ok := <-w.ResultChan()
		secret, isSecret := event.Object.(*corev1.Secret)
		if !ok || !isSecret || secret.Name != "x" || string(secret.Data["key"]) != value {
			t.Fatalf("event %s %+v, want Secret x with %s", event.Type, event.Object, value)
		}
	}
	next("value")
	if err := admin.Client().Patch(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "x", Namespace: "team"}}, merge(`{"stringData": {"key": "new"}}`)); err != nil {
		t.Fatal(err)
	}
	next("new")
}
