package kube

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// securityGroup is the group of Istio's AuthorizationPolicy and RequestAuthentication.
const securityGroup = "security.istio.io"

// policyKind is a kind of Istio policy that our proxies do not enforce, and of which only the targets are read.
func policyKind(name store.Kind, plural string) kind {
	return kind{
		name: name, crd: plural + "." + securityGroup, versions: []string{"v1", "v1beta1"},
		watched: untyped(securityGroup, string(name)), convert: meshPolicy,
	}
}

func meshPolicy(o client.Object) (any, error) {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("%T is not what was watched", o)
	}
	var in struct {
		Spec struct {
			TargetRef  *extv1.PolicyTargetReference  `json:"targetRef,omitempty"`
			TargetRefs []extv1.PolicyTargetReference `json:"targetRefs,omitempty"`
		} `json:"spec"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &in); err != nil {
		return nil, fmt.Errorf("%s %s/%s cannot be read: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	key := model.Key{Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName()}
	return model.NewMeshPolicy(key, in.Spec.TargetRef, in.Spec.TargetRefs), nil
}

// stripPolicy leaves out what a policy demands: a mesh may have thousands.
func stripPolicy(u *unstructured.Unstructured) {
	spec, _ := u.Object["spec"].(map[string]any)
	kept := map[string]any{}
	for _, field := range []string{"targetRef", "targetRefs"} {
		if v, has := spec[field]; has {
			kept[field] = v
		}
	}
	u.Object["spec"] = kept
	delete(u.Object, "status")
}
