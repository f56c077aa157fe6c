package v1alpha1

// WorkloadSelector picks gateways by the labels of their proxies.
type WorkloadSelector struct {
	// matchLabels must all stand on the proxy; no labels at all match every proxy in reach. A `*` is refused in keys and
	// values.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=4096
	// +kubebuilder:validation:XValidation:rule="self.all(key, !key.contains('*'))",message="wildcard not allowed in label key match"
	// +kubebuilder:validation:XValidation:rule="self.all(key, key.size() != 0)",message="key must not be empty"
	MatchLabels map[string]LabelValue `json:"matchLabels,omitempty"`
}

// LabelValue is the exact value of a label.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="!self.contains('*')",message="wildcard not allowed in label value match"
type LabelValue string

// PolicyTargetReference names one object that the plugin is attached to: a Gateway, Service or ServiceEntry of the
// plugin's own namespace, or a GatewayClass (from the root namespace only).
type PolicyTargetReference struct {
	// group of the target; empty and "core" both mean the core group (Service).
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Group string `json:"group,omitempty"`

	// kind of the target.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$`
	Kind string `json:"kind"`

	// name of the target.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// namespace must be empty: a target is looked up in the plugin's own namespace.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.size() == 0",message="cross namespace referencing is not currently supported"
	Namespace string `json:"namespace,omitempty"`
}

// TrafficSelector narrows a plugin to part of the traffic. Both conditions must hold.
type TrafficSelector struct {
	// mode is the side of the connection: CLIENT is an ingress gateway, SERVER is a waypoint. Default: both.
	//
	// +optional
	Mode WorkloadMode `json:"mode,omitempty"`

	// ports are the Gateway listener's ports at an ingress gateway and the Service's ports at a waypoint. Default: all.
	//
	// +optional
	// +listType=map
	// +listMapKey=number
	Ports []PortSelector `json:"ports,omitempty"`
}

// PortSelector is one port of a TrafficSelector.
type PortSelector struct {
	// number of the port.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Number int32 `json:"number"`
}

// VMConfig configures the virtual machine in which a module runs.
type VMConfig struct {
	// env lists environment variables of the virtual machine.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Env []EnvVar `json:"env,omitempty"`
}

// EnvVar is one environment variable of the virtual machine.
//
// +kubebuilder:validation:XValidation:rule=`(has(self.valueFrom) ? self.valueFrom : "") != "HOST" || !has(self.value)`,message="value may only be set when valueFrom is INLINE"
type EnvVar struct {
	// name of the variable, a C identifier. The prefix ISTIO_META_ is reserved.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`

	// valueFrom is INLINE (default) for the value given here, or HOST for the proxy's own variable of that name. HOST
	// from another namespace than the Gateway's needs the opt-in of the Gateway's owner.
	//
	// +optional
	ValueFrom EnvValueSource `json:"valueFrom,omitempty"`

	// value of the variable, only with valueFrom INLINE.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Value string `json:"value,omitempty"`
}
