package attach

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// DefaultRootNamespace is the mesh's root namespace where nobody says otherwise.
const DefaultRootNamespace = "istio-system"

// ClassIstioWaypoint is Istio's class of waypoints; a Gateway of it is a waypoint without further signs.
const ClassIstioWaypoint = "istio-waypoint"

// IstioAliases gives Istio's classes the meaning of ours (Config.ClassAliases), so that its manifests run unedited.
func IstioAliases() map[string]string {
	return map[string]string{"istio": extv1.ClassIngress, ClassIstioWaypoint: extv1.ClassWaypoint}
}

// Config is what the rules are told once, at the start.
type Config struct {
	// RootNamespace holds plugins that apply to all namespaces; "" means DefaultRootNamespace.
	RootNamespace string
	// ClassAliases gives other class names the meaning of ours, for example "istio" of extv1.ClassIngress and
	// "istio-waypoint" of extv1.ClassWaypoint. A GatewayClass target still names the class that the Gateway names.
	ClassAliases map[string]string
}

// Root is the root namespace in force.
func (c Config) Root() string {
	if c.RootNamespace == "" {
		return DefaultRootNamespace
	}
	return c.RootNamespace
}

// Class is the meaning of a class name: itself, or what it is an alias of.
func (c Config) Class(name string) string {
	if meaning, ok := c.ClassAliases[name]; ok {
		return meaning
	}
	return name
}

// View is what the rules read. Every list is sorted by namespace, then name. *store.Store is one.
type View interface {
	Plugins() []*model.Plugin
	PluginsTargeting(model.TargetRef) []*model.Plugin
	UntargetedPlugins(namespace string) []*model.Plugin

	MeshPolicies() []*model.MeshPolicy
	PoliciesTargeting(model.TargetRef) []*model.MeshPolicy

	Gateway(types.NamespacedName) *gatewayv1.Gateway
	Gateways() []*gatewayv1.Gateway
	GatewaysIn(namespace string) []*gatewayv1.Gateway
	GatewaysOfClass(class string) []*gatewayv1.Gateway
	GatewayClass(name string) *gatewayv1.GatewayClass

	Namespace(name string) *corev1.Namespace
	NamespacesUsing(waypoint types.NamespacedName) []*corev1.Namespace
	Service(types.NamespacedName) *corev1.Service
	ServicesIn(namespace string) []*corev1.Service
	ServicesUsing(waypoint types.NamespacedName) []*corev1.Service
	ServiceEntry(types.NamespacedName) *networkingv1.ServiceEntry
	ServiceEntriesIn(namespace string) []*networkingv1.ServiceEntry
	ServiceEntriesUsing(waypoint types.NamespacedName) []*networkingv1.ServiceEntry

	Workload(types.NamespacedName) *model.Workload
	Workloads() []*model.Workload
	WorkloadsIn(namespace string) []*model.Workload
	WorkloadsWith(namespace, key, value string) []*model.Workload
}

var _ View = (*store.Store)(nil)

// Rules answers questions about one state of the world. It keeps nothing: every answer is computed from the View.
type Rules struct {
	Config
	View
}

// The groups and kinds that a plugin can target (Istio's list; "core" was normalised to "" before).
const (
	kindGateway      = "Gateway"
	kindGatewayClass = "GatewayClass"
	kindService      = "Service"
	kindServiceEntry = networkingv1.KindServiceEntry
)

// GatewayTarget is the reference that names a Gateway.
func GatewayTarget(gateway types.NamespacedName) model.TargetRef {
	return model.TargetRef{
		Group: gatewayv1.GroupName, Kind: kindGateway, Namespace: gateway.Namespace, Name: gateway.Name,
	}
}

// ClassTarget is the reference that names a GatewayClass.
func ClassTarget(class string) model.TargetRef {
	return model.TargetRef{Group: gatewayv1.GroupName, Kind: kindGatewayClass, Name: class}
}

// ServiceTarget is the reference that names a Service or ServiceEntry.
func ServiceTarget(service model.ServiceKey) model.TargetRef {
	group := ""
	if service.Kind == kindServiceEntry {
		group = networkingv1.GroupName
	}
	return model.TargetRef{Group: group, Kind: service.Kind, Namespace: service.Namespace, Name: service.Name}
}

func nameOf(object interface {
	GetNamespace() string
	GetName() string
}) types.NamespacedName {
	return types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
}

// knownClass names need no GatewayClass object: a directory of files seldom holds one.
func (c Config) knownClass(name string) bool {
	switch c.Class(name) {
	case extv1.ClassIngress, extv1.ClassWaypoint, ClassIstioWaypoint:
		return true
	}
	return false
}
