package v1alpha1

import gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

// PluginStatus is the observed state of a plugin of either kind. Other controllers write here too (Istio's analyzers:
// validationMessages), so the schema is as open as Istio's, and a writer must change no entry that is not its own.
//
// +kubebuilder:pruning:PreserveUnknownFields
type PluginStatus struct {
	// ancestors says for each declared target what became of the plugin there (Gateway API PolicyAncestorStatus, GEP-713).
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Ancestors []gatewayv1.PolicyAncestorStatus `json:"ancestors,omitempty"`

	// conditions sums the ancestors up: Accepted, ResolvedRefs, Programmed, Ready; and WaypointAccepted, in Istio's form,
	// for a plugin that targets waypoints or what is behind them.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that this status speaks of.
	//
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:XIntOrString
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// summary is what kubectl get shows and no other field holds in one value.
	//
	// +optional
	Summary StatusSummary `json:"summary,omitempty,omitzero"`

	// validationMessages are findings of Istio's analyzers; wasmpoint keeps them and writes none.
	//
	// +optional
	// +listType=atomic
	ValidationMessages []ValidationMessage `json:"validationMessages,omitempty"`
}

// StatusSummary is for the columns of kubectl get: a column shows the first value of its path only, so a list has to be
// written as one text. It is for people; programs read spec.targetRefs and conditions.
type StatusSummary struct {
	// targets is the first target as kind/name, and how many others there are: "Gateway/a +2". For a plugin without
	// targets it is the GatewayClasses that the plugin reaches.
	//
	// +optional
	Targets string `json:"targets,omitempty"`

	// module is the beginning of the digest of the module in use, 12 hexadecimal digits; "lua" for a script. It is
	// absent as long as no module is here.
	//
	// +optional
	Module string `json:"module,omitempty"`
}

// ValidationMessage is a finding of one of Istio's analyzers.
type ValidationMessage struct {
	// type of the finding.
	//
	// +optional
	Type *ValidationMessageType `json:"type,omitempty"`

	// level of the finding.
	//
	// +optional
	// +kubebuilder:validation:Enum=UNKNOWN;ERROR;WARNING;INFO
	Level string `json:"level,omitempty"`

	// documentationUrl points to an explanation.
	//
	// +optional
	DocumentationURL string `json:"documentationUrl,omitempty"`
}

// ValidationMessageType names the kind of a finding.
type ValidationMessageType struct {
	// name for people.
	//
	// +optional
	Name string `json:"name,omitempty"`

	// code for machines, such as IST0101.
	//
	// +optional
	Code string `json:"code,omitempty"`
}
