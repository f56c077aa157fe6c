package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionsv1alpha1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

// reader lets ServiceAccount default/reader read WasmPlugins.
const reader = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: [extensions.istio.io], resources: [wasmplugins], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: default}]
`

// clientOf a kubeconfig.
func clientOf(t *testing.T, kubeconfig string) client.Client {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{Scheme: Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// try lists WasmPlugins, within a time.
func try(c client.Client, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return c.List(ctx, &extensionsv1alpha1.WasmPluginList{})
}

// becomesAllowed waits for RBAC: the API server learns of rules by a watch of its own.
func becomesAllowed(t *testing.T, c client.Client) {
	t.Helper()
	testbed.Eventually(t, patience, "WasmPlugins may be read", func() (bool, string) {
		err := try(c, patience)
		return err == nil, errorText(err)
	})
}

func TestAServiceAccountMayDoWhatRBACAllowsAndNoMore(t *testing.T) {
	c := Start(t)
	c.ApplyYAML([]byte(reader))
	account := clientOf(t, c.KubeconfigFor("default", "reader"))
	becomesAllowed(t, account)
	if err := account.List(t.Context(), &corev1.SecretList{}); !apierrors.IsForbidden(err) {
		t.Errorf("Secrets, which no rule allows: %v", err)
	}
	plugin := &extensionsv1alpha1.WasmPlugin{}
	plugin.Namespace, plugin.Name, plugin.Spec.URL = "default", "p", "oci://registry.example/p"
	if err := account.Create(t.Context(), plugin); !apierrors.IsForbidden(err) {
		t.Errorf("creating a WasmPlugin, which no rule allows: %v", err)
	}
	if err := clientOf(t, c.Kubeconfig()).Create(t.Context(), plugin); err != nil {
		t.Errorf("the administrator creates a WasmPlugin: %v", err)
	}
}

func TestARestartOfTheAPIServerKeepsObjectsAndKubeconfigs(t *testing.T) {
	c := Start(t)
	c.ApplyYAML([]byte(reader))
	account := clientOf(t, c.KubeconfigFor("default", "reader"))
	becomesAllowed(t, account)
	key := client.ObjectKey{Namespace: "default", Name: "reader"}
	var before, after corev1.ServiceAccount
	if err := c.Client().Get(t.Context(), key, &before); err != nil {
		t.Fatal(err)
	}

	c.StopAPIServer()
	if err := try(account, time.Second); err == nil {
		t.Fatal("a stopped API server answered")
	}
	c.StartAPIServer()

	if err := c.Client().Get(t.Context(), key, &after); err != nil {
		t.Fatal(err)
	}
	if before.UID == types.UID("") || before.UID != after.UID {
		t.Errorf("UID %q before, %q after", before.UID, after.UID)
	}
	becomesAllowed(t, account)
}

func TestAPausedEtcdMakesRequestsHangUntilItGoesOn(t *testing.T) {
	c := Start(t)
	create := func(name string, limit time.Duration) error {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		configMap := &corev1.ConfigMap{}
		configMap.Namespace, configMap.Name = "default", name
		return c.Client().Create(ctx, configMap)
	}
	c.PauseEtcd()
	if err := create("paused", time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write with etcd paused: %v", err)
	}
	c.ResumeEtcd()
	if err := create("resumed", patience); err != nil {
		t.Errorf("a write with etcd resumed: %v", err)
	}
}

func TestALinkCutsOffOneClientAlone(t *testing.T) {
	c := Start(t)
	c.ApplyYAML([]byte(reader))
	link := c.Link()
	through := clientOf(t, link.KubeconfigFor("default", "reader"))
	becomesAllowed(t, through)
	admin := clientOf(t, link.Kubeconfig())
	if err := try(admin, patience); err != nil {
		t.Fatal(err)
	}

	link.Cut()
	for _, cl := range []client.Client{through, admin} {
		if err := try(cl, patience); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("through a cut link, where an error was due: %v", err)
		}
	}
	if err := try(c.Client(), patience); err != nil {
		t.Errorf("beside a cut link: %v", err)
	}
	link.Restore()
	if err := try(through, patience); err != nil {
		t.Errorf("through a restored link: %v", err)
	}

	link.Stall()
	if err := try(through, time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("through a stalled link: %v", err)
	}
	link.Restore()
	if err := try(through, patience); err != nil {
		t.Errorf("through a link that stalled: %v", err)
	}
}
