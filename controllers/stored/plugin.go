// Package stored reads plugins as an API server holds them, which may be anything: a definition without a schema, or an
// older one, lets objects in that our types cannot hold. Decoded by their types, one such object would fail the list of its
// whole kind, and no plugin would change any more. Here it is read as far as it can be, and says itself what is wrong.
//
// It also keeps an informer's cache small: of a spec no more stays than the neutral form, which the engine has anyway.
//
// May import: apis, model. Used by kube, which watches these types, and by publish, which reads their status.
package stored

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"

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
func (o *WasmPlugin) UnmarshalJSON(b []byte) error {
	var spec ext.WasmPluginSpec
	bad, err := read(b, &o.TypeMeta, &o.ObjectMeta, &o.Content, &spec)
	if err != nil {
		return err
	}
	o.Plugin = invalid(model.FromWasmPlugin(&ext.WasmPlugin{ObjectMeta: o.ObjectMeta, Spec: spec}), bad)
	return nil
}

// UnmarshalJSON fails for what is no object with metadata, and for nothing else.
func (o *TrafficExtension) UnmarshalJSON(b []byte) error {
	var spec ext.TrafficExtensionSpec
	bad, err := read(b, &o.TypeMeta, &o.ObjectMeta, &o.Content, &spec)
	if err != nil {
		return err
	}
	o.Plugin = invalid(model.FromTrafficExtension(&ext.TrafficExtension{ObjectMeta: o.ObjectMeta, Spec: spec}), bad)
	return nil
}

// read takes an object apart; bad says what of its spec could not be read.
func read(b []byte, t *metav1.TypeMeta, m *metav1.ObjectMeta, c *Content, spec any) (bad string, err error) {
	var outer struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              json.RawMessage `json:"spec"`
		Status            json.RawMessage `json:"status"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(b, &outer); err != nil {
		return "", err
	}
	*t, *m, *c = outer.TypeMeta, outer.ObjectMeta, Content{}
	if len(outer.Spec) > 0 {
		// What follows a value of the wrong type is read all the same.
		bad = problem(kjson.UnmarshalCaseSensitivePreserveInts(outer.Spec, spec))
	}
	if len(outer.Status) > 0 {
		c.Unread = kjson.UnmarshalCaseSensitivePreserveInts(outer.Status, &c.Status) != nil
	}
	return bad, nil
}

// problem puts the decoder's error into the words of the API.
func problem(err error) string {
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &wrong):
		return fmt.Sprintf("spec: cannot be read: %v", err)
	}
	path := "spec"
	if wrong.Field != "" { // the decoder names embedded structs, which the API does not
		path += "." + strings.TrimPrefix(wrong.Field, "WasmConfig.")
	}
	value := strings.Fields(wrong.Value + " value")[0]
	return fmt.Sprintf("%s: must be %s, and is %s; correct it", path, wanted(wrong.Type.Kind()), cmp.Or(found[value], wrong.Value))
}

// found are the decoder's words for what stands in an object, in the words of people who write YAML.
var found = map[string]string{"array": "a list", "object": "a mapping", "string": "a string", "number": "a number", "bool": "a boolean"}

func wanted(k reflect.Kind) string {
	switch k {
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.Slice:
		return "a list"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	}
	return "a whole number in its range"
}

func invalid(p *model.Plugin, bad string) *model.Plugin {
	if bad != "" {
		p.Invalid = strings.TrimSuffix(bad+"; "+p.Invalid, "; ")
	}
	return p
}
