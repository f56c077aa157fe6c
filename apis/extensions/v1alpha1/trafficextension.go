package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TrafficExtension attaches a WebAssembly plugin or a Lua script to Gateways, waypoints and Services. It is the
// successor of WasmPlugin.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:metadata:labels="gateway.networking.k8s.io/policy=Inherited"
// +kubebuilder:resource:scope=Namespaced,categories=istio-io;extensions-istio-io
// +kubebuilder:printcolumn:name="Targets",type=string,JSONPath=`.status.summary.targets`,description="What the plugin is attached to"
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.spec.phase`,description="Place in the filter chain"
// +kubebuilder:printcolumn:name="Priority",type=integer,JSONPath=`.spec.priority`,description="Order in the phase, highest first"
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`,description="Whether the plugin is attached to its targets"
// +kubebuilder:printcolumn:name="Programmed",type=string,JSONPath=`.status.conditions[?(@.type=="Programmed")].status`,description="Whether every connected proxy of its targets runs it"
// +kubebuilder:printcolumn:name="Module",type=string,JSONPath=`.status.summary.module`,description="Digest of the module in use, shortened"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="URL",type=string,priority=1,JSONPath=`.spec.wasm.url`,description="Where the module comes from"
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,description="What matters most now"
type TrafficExtension struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what runs where.
	Spec TrafficExtensionSpec `json:"spec"`

	// status says per target what became of the plugin.
	//
	// +optional
	Status PluginStatus `json:"status,omitempty,omitzero"`
}

// TrafficExtensionList is a list of TrafficExtensions.
//
// +kubebuilder:object:root=true
type TrafficExtensionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TrafficExtension `json:"items"`
}

// TrafficExtensionSpec is the wanted state of a TrafficExtension. Exactly one of wasm and lua is set, and at most one of
// selector and targetRefs.
//
// +kubebuilder:validation:XValidation:rule="(has(self.selector) ? 1 : 0) + (has(self.targetRefs) ? 1 : 0) <= 1",message="only one of targetRefs or selector can be set"
// +kubebuilder:validation:XValidation:rule="has(self.wasm) != has(self.lua)",message="exactly one of wasm or lua must be set"
type TrafficExtensionSpec struct {
	// selector picks ingress gateways by label; see WasmPlugin.
	//
	// +optional
	Selector *WorkloadSelector `json:"selector,omitempty"`

	// targetRefs are the objects that the plugin is attached to.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	TargetRefs []PolicyTargetReference `json:"targetRefs,omitempty"`

	// phase is the place in the filter chain. Default: the last one.
	//
	// +optional
	Phase ExecutionPhase `json:"phase,omitempty"`

	// priority orders plugins of one phase, highest first. A plugin without priority comes after all that have one.
	//
	// +optional
	// +nullable
	Priority *int32 `json:"priority,omitempty"`

	// match narrows the plugin to part of the traffic. Entries are alternatives. Default: all traffic.
	//
	// +optional
	// +listType=atomic
	Match []*TrafficSelector `json:"match,omitempty"`

	// wasm is a WebAssembly plugin.
	//
	// +optional
	Wasm *WasmConfig `json:"wasm,omitempty"`

	// lua is a Lua script.
	//
	// +optional
	Lua *LuaConfig `json:"lua,omitempty"`
}

// LuaConfig is a Lua script, which works on HTTP requests only.
type LuaConfig struct {
	// inlineCode is the source of the script, at most 64 KiB.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	InlineCode string `json:"inlineCode"`
}
