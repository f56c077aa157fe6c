package stored

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	kjson "sigs.k8s.io/json"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// form is a plugin's JSON in types that are read in one pass. Types that read themselves make the decoder look at their text
// again and again, and ten thousand plugins are most of what a starting controller waits for.
type form[Spec any] struct {
	metav1.TypeMeta
	Metadata metadata   `json:"metadata"`
	Spec     Spec       `json:"spec"`
	Status   statusForm `json:"status"`
}

// metadata leaves out what nobody reads and what is a good part of most objects.
type metadata struct {
	metav1.ObjectMeta
	ManagedFields nothing `json:"managedFields"`
}

type nothing struct{}

func (nothing) UnmarshalJSON([]byte) error { return nil }

// statusForm is ext.PluginStatus.
type statusForm struct {
	Ancestors          []gatewayv1.PolicyAncestorStatus `json:"ancestors"`
	Conditions         []conditionForm                  `json:"conditions"`
	ObservedGeneration ext.Generation                   `json:"observedGeneration"`
	Summary            ext.StatusSummary                `json:"summary"`
	ValidationMessages []ext.ValidationMessage          `json:"validationMessages"`
}

// conditionForm is ext.Condition.
type conditionForm struct {
	Type               string                 `json:"type"`
	Status             metav1.ConditionStatus `json:"status"`
	ObservedGeneration ext.Generation         `json:"observedGeneration"`
	LastTransitionTime metav1.Time            `json:"lastTransitionTime"`
	Reason             string                 `json:"reason"`
	Message            string                 `json:"message"`
}

func (f *statusForm) status() ext.PluginStatus {
	out := ext.PluginStatus{
		Ancestors: f.Ancestors, ObservedGeneration: int64(f.ObservedGeneration), Summary: f.Summary, ValidationMessages: f.ValidationMessages,
	}
	for _, c := range f.Conditions {
		out.Conditions = append(out.Conditions, ext.Condition{
			Type: c.Type, Status: c.Status, ObservedGeneration: int64(c.ObservedGeneration),
			LastTransitionTime: c.LastTransitionTime, Reason: c.Reason, Message: c.Message,
		})
	}
	return out
}

// fault says what of an object could not be read.
type fault struct {
	spec   string
	status bool
}

func (f fault) into(p *model.Plugin) *model.Plugin {
	if f.spec != "" {
		p.Invalid = strings.TrimSuffix(f.spec+"; "+p.Invalid, "; ")
	}
	return p
}

// read reads an object, and if it is not as its types want it, part by part.
func read[Spec any](b []byte) (*form[Spec], fault, error) {
	whole := &form[Spec]{}
	if kjson.UnmarshalCaseSensitivePreserveInts(b, whole) == nil {
		return whole, fault{}, nil
	}
	var parts struct {
		metav1.TypeMeta
		Metadata metadata        `json:"metadata"`
		Spec     json.RawMessage `json:"spec"`
		Status   json.RawMessage `json:"status"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(b, &parts); err != nil {
		return nil, fault{}, err
	}
	out, bad := &form[Spec]{TypeMeta: parts.TypeMeta, Metadata: parts.Metadata}, fault{}
	if len(parts.Spec) > 0 {
		// What follows a value of the wrong type is read all the same.
		bad.spec = problem(kjson.UnmarshalCaseSensitivePreserveInts(parts.Spec, &out.Spec))
	}
	if len(parts.Status) > 0 {
		bad.status = kjson.UnmarshalCaseSensitivePreserveInts(parts.Status, &out.Status) != nil
	}
	return out, bad, nil
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
