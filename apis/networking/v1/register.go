package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of ServiceEntry.
const GroupName = "networking.istio.io"

// KindServiceEntry is ServiceEntry's kind, as it stands in a manifest.
const KindServiceEntry = "ServiceEntry"

// GroupVersion is the group and version under which a scheme knows this package's types.
var GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1"}

// Versions are all versions under which Istio serves ServiceEntry; their fields are the same, so a manifest of any of
// them decodes into this package's type.
var Versions = []string{"v1", "v1beta1", "v1alpha3"}

// SchemeBuilder collects the functions that register this package's types.
var SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

// AddToScheme registers ServiceEntry and its list with a scheme, as version v1 alone: a Go type under several versions
// would be ambiguous to clients.
var AddToScheme = SchemeBuilder.AddToScheme

func addKnownTypes(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &ServiceEntry{}, &ServiceEntryList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
