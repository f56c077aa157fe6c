package suite

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	k8syaml "sigs.k8s.io/yaml"
)

// stepAnnotation on a document keeps it back until the test asks for it (World.Apply).
const stepAnnotation = "conformance.wasmpoint.dev/step"

// variable is what a manifest writes for names that differ between runs.
var variable = regexp.MustCompile(`\$\{[A-Z0-9_]+\}`)

// expand replaces ${NAME}; an unknown name is an error.
func expand(text string, values map[string]string) (string, error) {
	var unknown []string
	out := variable.ReplaceAllStringFunc(text, func(v string) string {
		value, ok := values[strings.Trim(v, "${}")]
		if !ok {
			unknown = append(unknown, v)
		}
		return value
	})
	if len(unknown) > 0 {
		return "", fmt.Errorf("unknown variables %s", strings.Join(unknown, ", "))
	}
	return out, nil
}

// documents are the objects of a YAML file, in order.
func documents(raw []byte) ([]*unstructured.Unstructured, error) {
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	var out []*unstructured.Unstructured
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		u := &unstructured.Unstructured{}
		if err := k8syaml.Unmarshal(document, &u.Object); err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		if len(u.Object) > 0 { // a document of comments has nothing
			out = append(out, u)
		}
	}
}

// load reads a test's manifests with its variables filled in, by step; "" holds those to apply at once.
func load(files fs.FS, names []string, values map[string]string) (map[string][]*unstructured.Unstructured, error) {
	steps := map[string][]*unstructured.Unstructured{}
	for _, name := range names {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		text, err := expand(string(raw), values)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list, err := documents([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, o := range list {
			annotations := o.GetAnnotations()
			step := annotations[stepAnnotation]
			delete(annotations, stepAnnotation)
			o.SetAnnotations(annotations)
			steps[step] = append(steps[step], o)
		}
	}
	return steps, nil
}
