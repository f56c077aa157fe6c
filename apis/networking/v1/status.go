package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ServiceEntryStatus is what Istio observed. wasmpoint does not read it; it is typed so that a strict reader accepts it.
type ServiceEntryStatus struct {
	// Conditions of the ServiceEntry, such as istio.io/WaypointBound.
	Conditions []Condition `json:"conditions,omitempty"`
	// ValidationMessages are findings of Istio's analyzers.
	ValidationMessages []ValidationMessage `json:"validationMessages,omitempty"`
	// ObservedGeneration is a number, or a string that holds one.
	ObservedGeneration *intstr.IntOrString `json:"observedGeneration,omitempty"`
	// Addresses are virtual addresses that Istio allocated.
	Addresses []ServiceEntryAddress `json:"addresses,omitempty"`
}

// Condition is Istio's form of a condition: no field is required.
type Condition struct {
	// Type of the condition.
	Type string `json:"type,omitempty"`
	// Status is True, False or Unknown.
	Status string `json:"status,omitempty"`
	// LastProbeTime is when the condition was last looked at.
	LastProbeTime *metav1.Time `json:"lastProbeTime,omitempty"`
	// LastTransitionTime is when Status changed last.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`
	// Reason is one word, for machines.
	Reason string `json:"reason,omitempty"`
	// Message is a sentence, for people.
	Message string `json:"message,omitempty"`
	// ObservedGeneration is a number, or a string that holds one.
	ObservedGeneration *intstr.IntOrString `json:"observedGeneration,omitempty"`
}

// ValidationMessage is a finding of one of Istio's analyzers.
type ValidationMessage struct {
	// Type of the finding.
	Type *ValidationMessageType `json:"type,omitempty"`
	// Level is UNKNOWN, ERROR, WARNING or INFO.
	Level string `json:"level,omitempty"`
	// DocumentationURL points to an explanation.
	DocumentationURL string `json:"documentationUrl,omitempty"`
}

// ValidationMessageType names the kind of a finding.
type ValidationMessageType struct {
	// Name for people.
	Name string `json:"name,omitempty"`
	// Code for machines, such as IST0101.
	Code string `json:"code,omitempty"`
}

// ServiceEntryAddress is a virtual address that Istio allocated.
type ServiceEntryAddress struct {
	// Value is the address.
	Value string `json:"value,omitempty"`
	// Host is the host of the spec that the address stands for.
	Host string `json:"host,omitempty"`
}
