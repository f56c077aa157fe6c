package files

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	genericvalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/apis/validation"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// identity names an object across versions of its API.
type identity struct {
	group, kind, namespace, name string
}

// String is "Kind namespace/name", or "Kind name" without a namespace.
func (i identity) String() string {
	if i.namespace == "" {
		return i.kind + " " + i.name
	}
	return i.kind + " " + i.namespace + "/" + i.name
}

func (i identity) compare(o identity) int {
	return cmp.Or(cmp.Compare(i.namespace, o.namespace), cmp.Compare(i.name, o.name), cmp.Compare(i.kind, o.kind), cmp.Compare(i.group, o.group))
}

// object is one object of a file that has no problem.
type object struct {
	identity
	pos Position
	// typed is what the API's Go type makes of it; shared is what is handed out (for a plugin the neutral form).
	typed  metav1.Object
	shared any
	// spec is everything but metadata and status, whole is everything, both as JSON with sorted keys.
	spec, whole string
}

// object checks one object and keeps it if nothing is wrong with it.
func (p *parser) object(t *tree) {
	for _, e := range t.errs {
		p.fail(e.line, e.path, e.problem)
	}
	before := len(p.errs)
	m, ok := t.value.(map[string]any)
	if !ok {
		p.fail(t.start, "", "is not an object; write apiVersion, kind, metadata and spec")
		return
	}
	apiVersion, kindName, ok := p.head(t, m)
	if !ok {
		return
	}
	k, field, problem := find(apiVersion, kindName)
	switch {
	case problem != "":
		p.fail(t.line(field), field, problem)
		return
	case k == nil || k.make == nil:
		p.notes = append(p.notes, Note{p.at(t.start), fmt.Sprintf("%s %s: left aside, wasmpoint does not read this kind", apiVersion, kindName)})
		return
	}
	typed := k.make()
	if validation.Supports(apiVersion, kindName) {
		for _, e := range validation.Object(m) {
			p.fail(t.line(e.Path), e.Path, nextStep(e))
		}
	} else {
		s := strict{secret: kindName == "Secret"}
		s.check("", m, reflect.TypeOf(typed))
		p.faults(t, s.faults)
	}
	whole, err := json.Marshal(m)
	if err == nil {
		err = json.Unmarshal(whole, typed)
	}
	clean := len(p.errs) == before && len(t.errs) == 0
	var wrongType *json.UnmarshalTypeError
	switch {
	case err != nil && clean:
		p.fail(t.start, "", "cannot be read: "+err.Error()+"; correct it")
	case err == nil || errors.As(err, &wrongType):
		// Even an object with a wrong field is decoded, so that its other problems show up at once.
		p.rules(t, m, k, typed, p.errs[before:])
	}
	if p.refuseInvalid && len(p.errs) == before && len(t.errs) == 0 {
		p.conversion(t, typed)
	}
	if len(p.errs) == before && len(t.errs) == 0 {
		p.keep(t, m, typed)
	}
}

// conversion reports what only the conversion of a plugin finds out, as one error at the first field that it names.
func (p *parser) conversion(t *tree, typed metav1.Object) {
	plugin := neutral(typed)
	if plugin == nil || plugin.Invalid == "" {
		return
	}
	field, problem, found := strings.Cut(plugin.Invalid, ": ")
	if !found || strings.Contains(field, " ") {
		field, problem = "spec", plugin.Invalid
	}
	if !strings.Contains(problem, ";") {
		problem += "; correct it"
	}
	p.fail(t.line(field), field, problem)
}

// neutral is the neutral form of a plugin, nil for other objects.
func neutral(typed metav1.Object) *model.Plugin {
	switch o := typed.(type) {
	case *v1alpha1.WasmPlugin:
		return model.FromWasmPlugin(o)
	case *v1alpha1.TrafficExtension:
		return model.FromTrafficExtension(o)
	}
	return nil
}

// nextStep says what is wrong, and what to do.
func nextStep(e validation.FieldError) string {
	problem := e.Message
	if e.Value != "" {
		problem = e.Value + ": " + problem
	}
	switch {
	case strings.Contains(e.Message, ";"):
		return problem
	case strings.HasPrefix(e.Message, "is required"):
		return problem + "; write it"
	}
	return problem + "; correct it"
}

// head checks what every object must have.
func (p *parser) head(t *tree, m map[string]any) (apiVersion, kind string, ok bool) {
	for _, f := range []struct {
		name string
		to   *string
	}{{"apiVersion", &apiVersion}, {"kind", &kind}} {
		text, isString := m[f.name].(string)
		if !isString || text == "" {
			p.fail(t.line(f.name), f.name, "is missing; write which kind of object this is, as in `apiVersion: extensions.istio.io/v1alpha1`, `kind: WasmPlugin`")
			return "", "", false
		}
		*f.to = text
	}
	return apiVersion, kind, true
}

// rules fills in the namespace and checks the rules of the kind. What the fields already complained about is not said
// twice.
func (p *parser) rules(t *tree, m map[string]any, k *kind, typed metav1.Object, said []Error) {
	var bad problems
	if k.rules != nil || k.cluster {
		bad.need("metadata.name", typed.GetName(), "give the object a name")
	}
	if name := typed.GetName(); name != "" && (k.rules != nil || k.cluster) {
		for _, text := range genericvalidation.NameIsDNSSubdomain(name, false) {
			bad.add("metadata.name", "%q: %s; correct it", name, text)
		}
	}
	if k.cluster && typed.GetNamespace() != "" {
		bad.add("metadata.namespace", "%q: a %s has no namespace; remove the field", typed.GetNamespace(), m["kind"])
	}
	if !k.cluster && typed.GetNamespace() == "" {
		typed.SetNamespace(metav1.NamespaceDefault)
	}
	if k.rules != nil {
		k.rules(typed, &bad)
	}
	said = slices.Clone(said)
	for _, f := range bad {
		if !slices.ContainsFunc(said, func(e Error) bool { return strings.HasPrefix(f.path, e.Field) || strings.HasPrefix(e.Field, f.path) }) {
			p.fail(t.line(f.path), f.path, f.problem)
		}
	}
}

// keep takes an object that has no problem.
func (p *parser) keep(t *tree, m map[string]any, typed metav1.Object) {
	o := &object{pos: p.at(t.start), typed: typed}
	o.kind = m["kind"].(string)
	group, _, grouped := strings.Cut(m["apiVersion"].(string), "/")
	if grouped {
		o.group = group
	}
	o.namespace, o.name = typed.GetNamespace(), typed.GetName()
	delete(m, "status")
	o.whole = text(m)
	delete(m, "metadata")
	delete(m, "apiVersion")
	o.spec = text(m)
	p.objects = append(p.objects, o)
}

func (p *parser) faults(t *tree, faults []fault) {
	for _, f := range faults {
		p.fail(t.line(f.path), f.path, f.problem)
	}
}

// text cannot fail: the value came from JSON.
func text(v any) string {
	raw, _ := json.Marshal(v)
	return string(raw)
}
