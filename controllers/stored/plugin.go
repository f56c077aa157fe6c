// Package stored reads plugins as an API server holds them, which may be anything: a definition without a schema, or an
// older one, lets objects in that our types cannot hold. Decoded by their types, one such object would fail the list of its
// whole kind, and no plugin would change any more. Here it is read as far as it can be, and says itself what is wrong.
//
// It also keeps an informer's cache small: of a spec no more stays than the neutral form, which the engine has anyway.
//
// May import: apis, model. Used by kube, which watches these types, and by publish, which reads their status.
package stored

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Content is what is kept of a plugin besides its metadata. It cannot be written back.
type Content struct {
	// Plugin is the spec in neutral form; its Invalid tells of what could not be read.
	Plugin *model.Plugin `json:"-"`
	// Status is the status of all writers, as far as it can be read.
	Status ext.PluginStatus `json:"-"`
	// Unread says that there is more in the status than Status holds.
	Unread bool `json:"-"`
}

// WasmPlugin is an ext.WasmPlugin as it was read.
type WasmPlugin struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Content
}

// TrafficExtension is an ext.TrafficExtension as it was read.
type TrafficExtension struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Content
}

// WasmPluginList is the API server's list of them.
type WasmPluginList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []WasmPlugin `json:"items"`
}

// TrafficExtensionList is the API server's list of them.
type TrafficExtensionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TrafficExtension `json:"items"`
}

// AddToScheme registers the types in place of those of apis, under the same group, version and kinds.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(ext.GroupVersion, &WasmPlugin{}, &WasmPluginList{}, &TrafficExtension{}, &TrafficExtensionList{})
	metav1.AddToGroupVersion(s, ext.GroupVersion)
	return nil
}

// UnmarshalJSON fails for what is no object with metadata, and for nothing else.
func (o *WasmPlugin) UnmarshalJSON(b []byte) (err error) {
	o.TypeMeta, o.ObjectMeta, o.Content, err = take(b, func(m metav1.ObjectMeta, spec ext.WasmPluginSpec) *model.Plugin {
		return model.FromWasmPlugin(&ext.WasmPlugin{ObjectMeta: m, Spec: spec})
	})
	return err
}

// UnmarshalJSON fails for what is no object with metadata, and for nothing else.
func (o *TrafficExtension) UnmarshalJSON(b []byte) (err error) {
	o.TypeMeta, o.ObjectMeta, o.Content, err = take(b, func(m metav1.ObjectMeta, spec ext.TrafficExtensionSpec) *model.Plugin {
		return model.FromTrafficExtension(&ext.TrafficExtension{ObjectMeta: m, Spec: spec})
	})
	return err
}

// take reads an object and brings its spec into the neutral form.
func take[Spec any](b []byte, neutral func(metav1.ObjectMeta, Spec) *model.Plugin) (metav1.TypeMeta, metav1.ObjectMeta, Content, error) {
	f, bad, err := read[Spec](b)
	if err != nil {
		return metav1.TypeMeta{}, metav1.ObjectMeta{}, Content{}, err
	}
	m := f.Metadata.ObjectMeta
	return f.TypeMeta, m, Content{Plugin: bad.into(neutral(m, f.Spec)), Status: f.Status.status(), Unread: bad.status}, nil
}
