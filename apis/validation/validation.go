// Package validation checks plugin objects that no API server has seen: manifests in files. It gives the answer that an
// API server with our CRDs would give to `kubectl apply --validate=strict`: unknown fields, the OpenAPI schema, keys of
// list maps, and the CEL rules, all taken from the embedded CRDs and judged by the API server's own libraries.
package validation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	schemavalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	genericvalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// Supports tells whether Object can judge objects of this apiVersion and kind.
func Supports(apiVersion, kind string) bool {
	return apiVersion == v1alpha1.GroupVersion.String() &&
		(kind == v1alpha1.KindWasmPlugin || kind == v1alpha1.KindTrafficExtension)
}

// Object judges one WasmPlugin or TrafficExtension in its decoded JSON or YAML form and returns what is wrong with it,
// sorted by path; nil means that an API server would take it. The status is not looked at (it is not the user's), an
// empty namespace is allowed, and obj is left as it is. Numbers may be of any Go type.
func Object(obj map[string]any) []FieldError {
	apiVersion, _ := obj["apiVersion"].(string)
	kind, _ := obj["kind"].(string)
	if !Supports(apiVersion, kind) {
		return []FieldError{{Path: "kind", Value: apiVersion + " " + kind, Message: "is not a plugin kind; use " +
			v1alpha1.GroupVersion.String() + " WasmPlugin or TrafficExtension"}}
	}
	rules, err := schemaOf(kind)
	if err != nil {
		return []FieldError{{Path: "kind", Value: kind, Message: err.Error()}}
	}
	in, err := normalise(obj)
	if err != nil {
		return []FieldError{{Path: "", Message: err.Error()}}
	}
	delete(in, "status")
	defaulting.PruneNonNullableNullsWithoutDefaults(in, rules.structural)

	out := metadata(in)
	for _, path := range unknownFields(in, rules.structural) {
		out = append(out, FieldError{Path: path, Message: unknownMessage(path, rules.structural)})
	}
	errs := schemavalidation.ValidateCustomResource(nil, in, rules.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, rules.structural, in)...)
	if !blocking(errs) {
		cel, _ := rules.cel.Validate(context.Background(), nil, rules.structural, in, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, cel...)
	}
	for _, e := range errs {
		out = append(out, fromLibrary(e))
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return slices.Compact(out)
}

// unknownFields prunes in, as an API server would, and returns the paths of what it pruned.
func unknownFields(in map[string]any, s *structuralschema.Structural) []string {
	return pruning.PruneWithOptions(in, s, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
}

// metadata judges what every object has, by the rules that an API server applies to custom resources.
func metadata(in map[string]any) []FieldError {
	meta, found, unknown, err := objectmeta.GetObjectMetaWithOptions(in, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	switch {
	case err != nil:
		return []FieldError{{Path: "metadata", Message: "cannot be read: " + err.Error()}}
	case !found || meta == nil:
		return []FieldError{{Path: "metadata", Message: "is missing; give the object a name"}}
	}
	var out []FieldError
	for _, path := range unknown {
		out = append(out, FieldError{Path: path, Message: "unknown field; remove it or correct its name"})
	}
	if meta.Namespace == "" {
		// The reader of the file has a default namespace.
		meta.Namespace = "default"
	}
	for _, e := range genericvalidation.ValidateObjectMeta(meta, true, genericvalidation.NameIsDNSSubdomain, field.NewPath("metadata")) {
		out = append(out, fromLibrary(e))
	}
	return out
}

// blocking tells whether CEL would stumble over what the schema already refused; an API server holds back likewise.
func blocking(errs field.ErrorList) bool {
	for _, e := range errs {
		switch e.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return true
		}
	}
	return false
}

// normalise copies obj and gives numbers the types that the API server's libraries expect: int64, or float64 if the
// number is not whole.
func normalise(obj map[string]any) (map[string]any, error) {
	raw, err := json.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("the object cannot be written as JSON: %w", err)
	}
	out := map[string]any{}
	if err := unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("the object cannot be read as JSON: %w", err)
	}
	return out, nil
}
