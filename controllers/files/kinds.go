package files

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/apis/validation"
)

// kind is what the loader knows of one kind of objects.
type kind struct {
	// versions that decode into the type; the first one is the one to recommend.
	versions []string
	cluster  bool
	// make returns an empty object; nil for a kind that is known and not read.
	make func() metav1.Object
	// rules checks what the type alone cannot say; nil for plugins, which have a schema.
	rules func(metav1.Object, *problems)
}

const gatewayGroup = gatewayv1.GroupName

// kinds by group and kind.
var kinds = map[string]map[string]kind{
	v1alpha1.GroupName: {
		v1alpha1.KindWasmPlugin:       {versions: []string{"v1alpha1"}, make: func() metav1.Object { return &v1alpha1.WasmPlugin{} }},
		v1alpha1.KindTrafficExtension: {versions: []string{"v1alpha1"}, make: func() metav1.Object { return &v1alpha1.TrafficExtension{} }},
	},
	gatewayGroup: {
		"Gateway":        {versions: []string{"v1", "v1beta1"}, make: func() metav1.Object { return &gatewayv1.Gateway{} }, rules: gatewayRules},
		"GatewayClass":   {versions: []string{"v1", "v1beta1"}, cluster: true, make: func() metav1.Object { return &gatewayv1.GatewayClass{} }, rules: classRules},
		"HTTPRoute":      {versions: []string{"v1", "v1beta1"}, make: func() metav1.Object { return &gatewayv1.HTTPRoute{} }, rules: routeRules},
		"ReferenceGrant": {versions: []string{"v1", "v1beta1"}, make: func() metav1.Object { return &gatewayv1.ReferenceGrant{} }, rules: grantRules},
	},
	"": {
		"Service":        {versions: []string{"v1"}, make: func() metav1.Object { return &corev1.Service{} }, rules: serviceRules},
		"Namespace":      {versions: []string{"v1"}, cluster: true, make: func() metav1.Object { return &corev1.Namespace{} }},
		"Secret":         {versions: []string{"v1"}, make: func() metav1.Object { return &corev1.Secret{} }, rules: secretRules},
		"ServiceAccount": {versions: []string{"v1"}},
		"ConfigMap":      {versions: []string{"v1"}},
		"Pod":            {versions: []string{"v1"}},
	},
	"apps":                 {"Deployment": {versions: []string{"v1"}}},
	discoveryv1.GroupName:  {"EndpointSlice": {versions: []string{"v1"}, make: func() metav1.Object { return &discoveryv1.EndpointSlice{} }, rules: sliceRules}},
	networkingv1.GroupName: {networkingv1.KindServiceEntry: {versions: networkingv1.Versions, make: func() metav1.Object { return &networkingv1.ServiceEntry{} }, rules: entryRules}},
}

// others are kinds that exist and that are not read; without this list some would pass for misspelt ones.
var others = map[string][]string{
	gatewayGroup:           {"GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute", "BackendTLSPolicy", "ListenerSet"},
	networkingv1.GroupName: {"DestinationRule", "EnvoyFilter", "Gateway", "ProxyConfig", "Sidecar", "VirtualService", "WorkloadEntry", "WorkloadGroup"},
	"":                     {"Node", "Endpoints", "Event", "PersistentVolume", "PersistentVolumeClaim", "ReplicationController", "ResourceQuota", "LimitRange", "PodTemplate"},
}

// find looks a kind up. A nil kind with an empty problem is one that is left aside with a note.
func find(apiVersion, name string) (k *kind, field, problem string) {
	group, version, found := strings.Cut(apiVersion, "/")
	if !found {
		group, version = "", apiVersion
	}
	known, ours := kinds[group]
	if !ours {
		return nil, "", ""
	}
	if k, ok := known[name]; ok {
		if !slices.Contains(k.versions, version) {
			return nil, "apiVersion", fmt.Sprintf("%q is not a version of %s that is read; use %s", apiVersion, name, withGroup(group, k.versions[0]))
		}
		return &k, "", ""
	}
	if slices.Contains(others[group], name) {
		return nil, "", ""
	}
	guess := nearest(name, known)
	switch {
	case group == v1alpha1.GroupName && guess == "":
		return nil, "kind", fmt.Sprintf("%q is not a kind of %s; use %s", name, group, strings.Join(sortedKeys(known), " or "))
	case guess != "" && (group != "" || strings.EqualFold(guess, name) || validation.Distance(guess, name) == 1):
		return nil, "kind", fmt.Sprintf("%q is not a kind of %s; did you mean %s?", name, apiVersion, guess)
	}
	return nil, "", ""
}

func withGroup(group, version string) string {
	if group == "" {
		return version
	}
	return group + "/" + version
}
