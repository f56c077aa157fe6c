package validation

import (
	"fmt"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	schemavalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/manifests/crd"
)

// compiled is one kind's schema in the forms that the different checks want.
type compiled struct {
	structural *structuralschema.Structural
	validator  schemavalidation.SchemaValidator
	cel        *cel.Validator
}

// Compiling the CEL rules takes tens of milliseconds, so it is done once, and only for a kind that is met.
var (
	wasmPlugin       = sync.OnceValues(func() (*compiled, error) { return compile(crd.WasmPlugins) })
	trafficExtension = sync.OnceValues(func() (*compiled, error) { return compile(crd.TrafficExtensions) })
)

func schemaOf(kind string) (*compiled, error) {
	if kind == v1alpha1.KindTrafficExtension {
		return trafficExtension()
	}
	return wasmPlugin()
}

func compile(text []byte) (*compiled, error) {
	definition, err := internal(text)
	if err != nil {
		return nil, err
	}
	// Conversion moves the schema of a CRD with a single version to the top.
	schema := definition.Spec.Validation
	if schema == nil && len(definition.Spec.Versions) > 0 {
		schema = definition.Spec.Versions[0].Schema
	}
	if schema == nil || schema.OpenAPIV3Schema == nil {
		return nil, fmt.Errorf("embedded CRD %s has no schema; run make generate", definition.Name)
	}
	structural, err := structuralschema.NewStructural(schema.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("embedded CRD %s: %w", definition.Name, err)
	}
	validator, _, err := schemavalidation.NewSchemaValidator(schema.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("embedded CRD %s: %w", definition.Name, err)
	}
	return &compiled{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}

// internal reads a CRD's YAML into the API server's own form.
func internal(text []byte) (*apiextensions.CustomResourceDefinition, error) {
	var v1 apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &v1); err != nil {
		return nil, fmt.Errorf("embedded CRD: %w", err)
	}
	var out apiextensions.CustomResourceDefinition
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&v1, &out, nil); err != nil {
		return nil, fmt.Errorf("embedded CRD %s: %w", v1.Name, err)
	}
	return &out, nil
}

// unmarshal is the API server's JSON reader: whole numbers become int64.
func unmarshal(raw []byte, out *map[string]any) error { return utiljson.Unmarshal(raw, out) }
