package publish

import (
	"encoding/json"
	"fmt"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// raw is a status as it was read, with every field: the entries of others must go back as they came (GEP-713), and under
// Istio's CRD nothing says which fields they have.
type raw struct {
	status     status.Status
	ancestors  []rawAncestor
	conditions []json.RawMessage
}

// rawAncestor is one entry of status.ancestors, whole and as far as it is looked into.
type rawAncestor struct {
	text       json.RawMessage
	conditions []json.RawMessage
}

// parse reads the status of an object twice: into our types, and into texts.
func parse(u *unstructured.Unstructured) (raw, error) {
	var out raw
	var texts struct {
		Ancestors  []json.RawMessage `json:"ancestors"`
		Conditions []json.RawMessage `json:"conditions"`
	}
	var typed ext.PluginStatus
	all, err := json.Marshal(u.Object["status"])
	if err == nil {
		err = json.Unmarshal(all, &texts)
	}
	if err == nil {
		err = json.Unmarshal(all, &typed)
	}
	if err != nil {
		return raw{}, fmt.Errorf("status of %s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	out.status, out.conditions = statusOf(typed), texts.Conditions
	for _, text := range texts.Ancestors {
		var inner struct {
			Conditions []json.RawMessage `json:"conditions"`
		}
		if err := json.Unmarshal(text, &inner); err != nil {
			return raw{}, err
		}
		out.ancestors = append(out.ancestors, rawAncestor{text, inner.Conditions})
	}
	return out, nil
}

// patch is a JSON merge patch of exactly our parts of status. The lists stand in it as a whole, because such a patch
// cannot say less; resourceVersion makes it fail when somebody wrote since. read may be empty when nobody else has
// anything in them.
func patch(resourceVersion string, read raw, previous, next status.Status) ([]byte, error) {
	conditions, err := splice(previous.Conditions, read.conditions, next.Conditions, marshal)
	if err != nil {
		return nil, err
	}
	var texts []json.RawMessage
	for _, a := range read.ancestors {
		texts = append(texts, a.text)
	}
	ancestors, err := splice(previous.Ancestors, texts, next.Ancestors, func(a gatewayv1.PolicyAncestorStatus) (json.RawMessage, error) {
		var old []metav1.Condition
		var texts []json.RawMessage
		for i, p := range previous.Ancestors {
			if status.SameAncestor(p, a) && len(read.ancestors) > 0 {
				old, texts = p.Conditions, read.ancestors[i].conditions
				break
			}
		}
		inner, err := splice(old, texts, a.Conditions, marshal)
		if err != nil {
			return nil, err
		}
		return json.Marshal(map[string]any{"ancestorRef": a.AncestorRef, "controllerName": a.ControllerName, "conditions": inner})
	})
	if err != nil {
		return nil, err
	}
	body := map[string]any{
		"conditions":         conditions,
		"observedGeneration": next.ObservedGeneration,
		"summary":            map[string]any{"targets": orNull(next.Summary.Targets), "module": orNull(next.Summary.Module)},
	}
	switch {
	case len(ancestors) > 0:
		body["ancestors"] = ancestors
	case len(previous.Ancestors) > 0:
		body["ancestors"] = nil
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": resourceVersion}, "status": body})
}

// splice writes the next list. What stands in the previous list just so goes out as it was read; in texts, the previous
// list has the same indexes. Entries of others keep their order, so one walk finds them all, also equal ones.
func splice[T any](previous []T, texts []json.RawMessage, next []T, write func(T) (json.RawMessage, error)) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, 0, len(next))
	from := 0
	for _, n := range next {
		found := false
		for i := from; i < len(previous) && i < len(texts) && !found; i++ {
			if found = reflect.DeepEqual(previous[i], n); found {
				out, from = append(out, texts[i]), i+1
			}
		}
		if found {
			continue
		}
		text, err := write(n)
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}

func marshal(c metav1.Condition) (json.RawMessage, error) { return json.Marshal(c) }

// orNull removes an empty text: null does, in a merge patch.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
