package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	k8syaml "sigs.k8s.io/yaml"
)

// fieldManager owns the fields that Apply sets, as kubectl's apply would.
const fieldManager = "cluster-test"

// Apply creates or changes objects by server-side apply, in the given order, and leaves status alone. The first refusal
// fails the test.
func (c *Cluster) Apply(objects ...client.Object) {
	c.t.Helper()
	for _, o := range objects {
		if err := c.TryApply(o); err != nil {
			c.t.Fatal(err)
		}
	}
}

// ApplyYAML is Apply of every document of a YAML file.
func (c *Cluster) ApplyYAML(manifests []byte) {
	c.t.Helper()
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			c.t.Fatal(err)
		}
		u := &unstructured.Unstructured{}
		if err := k8syaml.Unmarshal(document, &u.Object); err != nil {
			c.t.Fatalf("%v in\n%s", err, document)
		}
		if len(u.Object) > 0 { // a document of comments has nothing
			c.Apply(u)
		}
	}
}

// TryApply is Apply of one object that returns the API server's refusal.
func (c *Cluster) TryApply(object client.Object) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	kind, err := apiutil.GVKForObject(object, c.scheme)
	if err != nil {
		return err
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(kind)
	u.SetManagedFields(nil)
	u.SetResourceVersion("")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "status")
	return c.client.Apply(context.Background(), client.ApplyConfigurationFromUnstructured(u),
		client.FieldOwner(fieldManager), client.ForceOwnership)
}
