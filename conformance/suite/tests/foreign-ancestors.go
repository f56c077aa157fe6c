package tests

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ForeignAncestors",
		Description: "Entries of status.ancestors and conditions of other controllers stay as they are when ours change.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.StatusAncestors},
		Manifests:   []string{"base/edge.yaml", "foreign-ancestors.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			w.Apply("plugin")
			w.Programmed("marker", 1)
			theirs, condition := foreign("edge"), ext.Condition{Type: foreignController, Status: "True", Reason: "Seen", ObservedGeneration: 1, LastTransitionTime: metav1.Unix(1700000000, 0)}
			w.PatchStatus("marker", func(s *ext.PluginStatus) {
				s.Ancestors = append([]gatewayv1.PolicyAncestorStatus{theirs}, s.Ancestors...)
				s.Conditions = append(s.Conditions, condition)
			})
			w.Patch(w.WasmPlugin("marker"), `{"spec": {"pluginConfig": {"name": "changed"}}}`)
			p := w.MustAncestor("marker", "Gateway/edge", suite.True(ext.ConditionProgrammed))
			if len(p.Status.Ancestors) != 2 || !equality.Semantic.DeepEqual(p.Status.Ancestors[0], theirs) {
				t.Errorf("ancestors %+v, want the first to be %+v", p.Status.Ancestors, theirs)
			}
			if !slices.ContainsFunc(p.Status.Conditions, func(c ext.Condition) bool { return equality.Semantic.DeepEqual(c, condition) }) {
				t.Errorf("conditions %+v, want %+v among them", p.Status.Conditions, condition)
			}
		},
	})
}

const foreignController = "example.com/other"

// foreign is an entry of another controller.
func foreign(gateway string) gatewayv1.PolicyAncestorStatus {
	group, kind := gatewayv1.Group(gatewayv1.GroupName), gatewayv1.Kind("Gateway")
	return gatewayv1.PolicyAncestorStatus{
		AncestorRef:    gatewayv1.ParentReference{Group: &group, Kind: &kind, Name: gatewayv1.ObjectName(gateway)},
		ControllerName: foreignController,
		Conditions: []metav1.Condition{{
			Type: "Accepted", Status: metav1.ConditionFalse, Reason: "Whatever", Message: "not ours", ObservedGeneration: 1,
			LastTransitionTime: metav1.Unix(1700000000, 0),
		}},
	}
}
