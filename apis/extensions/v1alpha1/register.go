package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of the plugin kinds.
const GroupName = "extensions.istio.io"

// Kinds of this package, as they stand in a manifest.
const (
	KindWasmPlugin       = "WasmPlugin"
	KindTrafficExtension = "TrafficExtension"
)

// GroupVersion is the group and version of this package's types.
var GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

// SchemeBuilder collects the functions that register this package's types.
var SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

// AddToScheme registers WasmPlugin and TrafficExtension, and their lists, with a scheme.
var AddToScheme = SchemeBuilder.AddToScheme

func addKnownTypes(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &WasmPlugin{}, &WasmPluginList{}, &TrafficExtension{}, &TrafficExtensionList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
