package v1alpha1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WasmPlugin attaches a WebAssembly plugin to Gateways, waypoints and Services.
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
// +kubebuilder:printcolumn:name="URL",type=string,priority=1,JSONPath=`.spec.url`,description="Where the module comes from"
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,description="What matters most now"
type WasmPlugin struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says which module runs where, and with which configuration.
	Spec WasmPluginSpec `json:"spec"`

	// status says per target what became of the plugin.
	//
	// +optional
	Status PluginStatus `json:"status,omitempty,omitzero"`
}

// WasmPluginList is a list of WasmPlugins.
//
// +kubebuilder:object:root=true
type WasmPluginList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []WasmPlugin `json:"items"`
}

// WasmPluginSpec is the wanted state of a WasmPlugin. At most one of selector, targetRef and targetRefs is set.
//
// +kubebuilder:validation:XValidation:rule="(has(self.selector) ? 1 : 0) + (has(self.targetRef) ? 1 : 0) + (has(self.targetRefs) ? 1 : 0) <= 1",message="only one of targetRefs or selector can be set"
type WasmPluginSpec struct {
	// selector picks ingress gateways by label. Without selector and targets the plugin applies to every ingress gateway
	// of its namespace, or, in the root namespace, of all namespaces. Waypoints take plugins by targetRefs alone.
	//
	// +optional
	Selector *WorkloadSelector `json:"selector,omitempty"`

	// targetRef is the older, single form of targetRefs.
	//
	// +optional
	TargetRef *PolicyTargetReference `json:"targetRef,omitempty"`

	// targetRefs are the objects that the plugin is attached to.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	TargetRefs []PolicyTargetReference `json:"targetRefs,omitempty"`

	// phase is the place in the filter chain. Default: the last one.
	//
	// +optional
	Phase PluginPhase `json:"phase,omitempty"`

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

	// The module and its configuration; TrafficExtension holds the same fields under spec.wasm.
	WasmConfig `json:",inline"`
}

// WasmConfig says which module runs and how.
type WasmConfig struct {
	// url of the module: oci://, http://, https:// or file://. Without a scheme it is an OCI reference, also when it
	// begins with a host and a port, such as localhost:5000/x:1.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:XValidation:rule=`self.matches("^[a-zA-Z0-9][a-zA-Z0-9.-]*:[0-9]+/") || (isURL(self) ? (url(self).getScheme() in ["", "http", "https", "oci", "file"]) : (isURL("http://" + self) && url("http://" + self).getScheme() in ["", "http", "https", "oci", "file"]))`,message="url must have schema one of [http, https, file, oci]"
	URL string `json:"url"`

	// sha256 is checked against the module that was fetched: for OCI the digest of the manifest, of the index or of the
	// module. Lower-case hex.
	//
	// +optional
	// +kubebuilder:validation:Pattern=`(^$|^[a-f0-9]{64}$)`
	SHA256 string `json:"sha256,omitempty"`

	// imagePullPolicy says when a module that is not referred to by digest is fetched again. Default: IfNotPresent, and
	// Always for the tag latest.
	//
	// +optional
	ImagePullPolicy PullPolicy `json:"imagePullPolicy,omitempty"`

	// imagePullSecret names a Secret of the plugin's namespace with the registry's credentials.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ImagePullSecret string `json:"imagePullSecret,omitempty"`

	// verificationKey is the public key of the module's signature.
	//
	// +optional
	VerificationKey string `json:"verificationKey,omitempty"`

	// pluginConfig is handed to the plugin as JSON.
	//
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	PluginConfig *apiextensionsv1.JSON `json:"pluginConfig,omitempty"`

	// pluginName is the root id, by which a module that holds several plugins tells them apart.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	PluginName string `json:"pluginName,omitempty"`

	// failStrategy says what happens to traffic when the plugin cannot run. Default: FAIL_CLOSE.
	//
	// +optional
	FailStrategy FailStrategy `json:"failStrategy,omitempty"`

	// vmConfig configures the virtual machine of the module.
	//
	// +optional
	VMConfig *VMConfig `json:"vmConfig,omitempty"`

	// type says whether the module handles HTTP requests or connections. Default: HTTP.
	//
	// +optional
	Type PluginType `json:"type,omitempty"`
}
