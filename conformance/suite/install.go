package suite

import (
	"context"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/manifests"
)

// runLabel is on every namespace and every cluster-wide object of a run, CRDs excepted.
const runLabel = "conformance.wasmpoint.dev/run"

// shippedNamespace is the namespace of manifests/install.yaml.
const shippedNamespace = "wasmpoint-system"

// install applies what install.yaml ships, but for the controller itself: CRDs and GatewayClasses where there are none,
// RBAC under names of this run. All but CRDs is removed at the end.
func (s *Suite) install(t *testing.T) {
	t.Helper()
	s.refuseCompany(t)
	s.installCRDs(t)
	s.describeGatewayAPI(t)
	s.namespace(t, s.systemNamespace(), nil)
	s.namespace(t, s.rootNamespace(), nil)
	documents, err := documents(manifests.Install)
	must(t, err)
	for _, o := range documents {
		o.SetLabels(map[string]string{runLabel: s.run})
		switch o.GetKind() {
		case "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding":
			s.rename(o)
			must(t, s.apply(o))
		case "GatewayClass":
			err := s.client.Create(context.Background(), o)
			if apierrors.IsAlreadyExists(err) {
				continue
			}
			must(t, err)
		default:
			continue
		}
		t.Cleanup(func() {
			if err := s.client.Delete(context.Background(), o); client.IgnoreNotFound(err) != nil {
				t.Errorf("%s %s is left over: %v", o.GetKind(), o.GetName(), err)
			}
		})
	}
}

// rename moves an object of RBAC into this run: another controller of the cluster keeps its own.
func (s *Suite) rename(o *unstructured.Unstructured) {
	if o.GetNamespace() == shippedNamespace {
		o.SetNamespace(s.systemNamespace())
	} else {
		o.SetName(o.GetName() + "-" + s.run)
	}
	if ref, ok := o.Object["roleRef"].(map[string]any); ok && ref["kind"] == "ClusterRole" {
		ref["name"] = ref["name"].(string) + "-" + s.run
	}
	subjects, _ := o.Object["subjects"].([]any)
	for _, subject := range subjects {
		if m, ok := subject.(map[string]any); ok && m["namespace"] == shippedNamespace {
			m["namespace"] = s.systemNamespace()
		}
	}
}

// refuseCompany ends the run when the cluster has a wasmpoint at work: both would write the same statuses.
func (s *Suite) refuseCompany(t *testing.T) {
	t.Helper()
	var list appsv1.DeploymentList
	must(t, s.client.List(context.Background(), &list, client.MatchingLabels{"app.kubernetes.io/name": "wasmpoint"}))
	for _, d := range list.Items {
		if d.Spec.Replicas == nil || *d.Spec.Replicas > 0 {
			t.Fatalf("Deployment %s/%s runs a wasmpoint in this cluster already; scale it to 0 for the time of the run", d.Namespace, d.Name)
		}
	}
}

// installCRDs applies the CRDs that are missing, Gateway API's and ours, and waits until they are served.
func (s *Suite) installCRDs(t *testing.T) {
	t.Helper()
	crds, err := testcluster.CRDs()
	must(t, err)
	ctx := context.Background()
	for _, crd := range crds {
		err := s.client.Create(ctx, crd)
		if apierrors.IsAlreadyExists(err) {
			continue
		}
		must(t, err)
		s.say("installed CRD %s", crd.Name)
	}
	for _, crd := range crds {
		eventually(t, s.Timeouts.Ready, "CRD "+crd.Name+" is served", func() (bool, string) {
			var now apiextensionsv1.CustomResourceDefinition
			if err := s.client.Get(ctx, client.ObjectKeyFromObject(crd), &now); err != nil {
				return false, err.Error()
			}
			var why []string
			for _, c := range now.Status.Conditions {
				if c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue {
					return true, ""
				}
				why = append(why, string(c.Type)+": "+c.Message)
			}
			return false, strings.Join(why, "; ")
		})
	}
}

// apply is server-side apply of one object.
func (s *Suite) apply(o *unstructured.Unstructured) error {
	return s.client.Apply(context.Background(), client.ApplyConfigurationFromUnstructured(o.DeepCopy()),
		client.FieldOwner("wasmpoint-conformance"), client.ForceOwnership)
}
