package files

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Position is a place in a file.
type Position struct {
	// File is the path as it was reached from the path that the user gave.
	File string
	// Line counts from 1; 0 means the file as a whole.
	Line int
}

// String is FILE:LINE, or FILE alone.
func (p Position) String() string { return p.place() }

func (p Position) place() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

func (p Position) compare(o Position) int {
	return cmp.Or(cmp.Compare(p.File, o.File), cmp.Compare(p.Line, o.Line))
}

// Note is something that the user should know and that is no error: an object that was left aside.
type Note struct {
	Position
	Text string
}

// String is FILE:LINE: text.
func (n Note) String() string { return n.place() + ": " + n.Text }

// Error is one thing that is wrong in a file.
type Error struct {
	Position
	// Field is the path of the field, such as spec.match[0].ports[1].number; "" for the object or file as a whole.
	Field string
	// Problem says what is wrong and what to do.
	Problem string
}

// Error is FILE:LINE: FIELD: problem; next step.
func (e Error) Error() string {
	if e.Field == "" {
		return e.place() + ": " + e.Problem
	}
	return e.place() + ": " + e.Field + ": " + e.Problem
}

// Objects are the objects of all files, each list sorted by namespace and name. What an API server fills in is filled in:
// the namespace ("default"), Namespace objects that no file declares, their label kubernetes.io/metadata.name, the
// defaults of Service ports, and stringData of Secrets.
type Objects struct {
	// Plugins are WasmPlugins and TrafficExtensions. SourceDir is the folder of the file, as an absolute path.
	Plugins         []*model.Plugin
	Gateways        []*gatewayv1.Gateway
	GatewayClasses  []*gatewayv1.GatewayClass
	HTTPRoutes      []*gatewayv1.HTTPRoute
	ReferenceGrants []*gatewayv1.ReferenceGrant
	Services        []*corev1.Service
	Namespaces      []*corev1.Namespace
	Secrets         []*corev1.Secret
	EndpointSlices  []*discoveryv1.EndpointSlice
	ServiceEntries  []*networkingv1.ServiceEntry
}

// Result is what a set of files holds. Objects are immutable; an object that did not change keeps its pointer from one
// Result of a watcher to the next.
type Result struct {
	Objects
	// Notes and Errors are sorted by place.
	Notes  []Note
	Errors []Error
}
