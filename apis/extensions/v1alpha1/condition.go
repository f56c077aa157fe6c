package v1alpha1

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition is metav1.Condition under a schema as open as Istio's: no field is required, and observedGeneration may be a
// number or a string, since Istio's writers encode an int64 as a string. The fields are those of metav1.Condition in
// the same order, so the two types convert into each other: Condition(c), metav1.Condition(c).
//
// +kubebuilder:pruning:PreserveUnknownFields
type Condition struct {
	// type of the condition, such as Accepted.
	Type string `json:"type"`

	// status is True, False or Unknown.
	//
	// +optional
	Status metav1.ConditionStatus `json:"status"`

	// observedGeneration is the metadata.generation that this condition speaks of.
	//
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:XIntOrString
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lastTransitionTime is when status changed last.
	//
	// +optional
	LastTransitionTime metav1.Time `json:"lastTransitionTime"`

	// reason is one word that says why, for machines.
	//
	// +optional
	Reason string `json:"reason"`

	// message says why and what to do next, for people.
	//
	// +optional
	Message string `json:"message"`
}

// ConditionsFrom turns conditions of the usual type into ours.
func ConditionsFrom(in []metav1.Condition) []Condition {
	out := make([]Condition, 0, len(in))
	for _, c := range in {
		out = append(out, Condition(c))
	}
	return out
}

// MetaConditions turns our conditions into the usual type, for meta.FindStatusCondition and its kin.
func MetaConditions(in []Condition) []metav1.Condition {
	out := make([]metav1.Condition, 0, len(in))
	for _, c := range in {
		out = append(out, metav1.Condition(c))
	}
	return out
}

// Generation is an observedGeneration as it may stand in JSON: a number, or a string that holds one.
type Generation int64

// UnmarshalJSON accepts 3, "3", "" and null.
func (g *Generation) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "null" || s == "" {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return fmt.Errorf("observedGeneration %s is not a whole number", b)
	}
	*g = Generation(n)
	return nil
}

// UnmarshalJSON reads a condition of any writer.
func (c *Condition) UnmarshalJSON(b []byte) error {
	type plain Condition
	open := struct {
		*plain
		ObservedGeneration Generation `json:"observedGeneration"`
	}{plain: (*plain)(c)}
	if err := json.Unmarshal(b, &open); err != nil {
		return err
	}
	c.ObservedGeneration = int64(open.ObservedGeneration)
	return nil
}

// UnmarshalJSON reads the status of any writer.
func (s *PluginStatus) UnmarshalJSON(b []byte) error {
	type plain PluginStatus
	open := struct {
		*plain
		ObservedGeneration Generation `json:"observedGeneration"`
	}{plain: (*plain)(s)}
	if err := json.Unmarshal(b, &open); err != nil {
		return err
	}
	s.ObservedGeneration = int64(open.ObservedGeneration)
	return nil
}
