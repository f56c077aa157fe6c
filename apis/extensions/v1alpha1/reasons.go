package v1alpha1

// Condition types that wasmpoint writes, on status.ancestors (per target) and as a summary on status.conditions.
// The words are GEP-713's and GEP-1364's.
const (
	// ConditionAccepted says whether the plugin is attached to the target: valid, found, permitted and applicable.
	ConditionAccepted = "Accepted"
	// ConditionResolvedRefs says whether the module is here: fetched, its digest checked, and inspected.
	ConditionResolvedRefs = "ResolvedRefs"
	// ConditionProgrammed says whether every connected proxy of the target runs this generation.
	ConditionProgrammed = "Programmed"
)

// Condition types that stand on status.conditions of a plugin only.
const (
	// ConditionReady is what kstatus looks at: True only when Accepted, ResolvedRefs and Programmed all are, for the
	// current generation. Its message is the one that matters most.
	ConditionReady = "Ready"
	// ConditionWaypointAccepted is Istio's form of Accepted (it writes the same on AuthorizationPolicies). It stands only
	// on a plugin with a target that is a waypoint, its GatewayClass, or a Service or ServiceEntry.
	ConditionWaypointAccepted = "WaypointAccepted"
)

// Condition types that wasmpoint writes on the objects that plugins target.
const (
	// ConditionAffected says on a Gateway, Service or ServiceEntry that plugins are attached to it (GEP-713). It is
	// removed when the last one leaves.
	ConditionAffected = "wasmpoint.dev/WasmPluginAffected"
	// ConditionPoliciesEnforced is False on a Gateway of ours while AuthorizationPolicies or RequestAuthentications of Istio
	// concern it or the Services of a waypoint: Istio's waypoint would enforce them, stock Envoy does not. There is no True.
	ConditionPoliciesEnforced = "wasmpoint.dev/PoliciesEnforced"
	// ConditionWaypointBound is Istio's word on a Service or ServiceEntry that istio.io/use-waypoint sends to a waypoint.
	// wasmpoint writes it for waypoints of its own classes, where istiod does not.
	ConditionWaypointBound = "istio.io/WaypointBound"
)

// Reasons of Accepted. Exactly one stands in every verdict.
const (
	// ReasonAccepted is used with Accepted=True.
	ReasonAccepted = "Accepted"
	// ReasonInvalid is used when the object breaks its schema, or a rule that the schema cannot hold.
	ReasonInvalid = "Invalid"
	// ReasonTargetNotFound is used when the target names nothing that exists.
	ReasonTargetNotFound = "TargetNotFound"
	// ReasonTargetKindUnknown is used when the target's group and kind are not Gateway, GatewayClass, Service or
	// ServiceEntry.
	ReasonTargetKindUnknown = "TargetKindUnknown"
	// ReasonRootNamespaceOnly is used when a GatewayClass is targeted from outside the root namespace.
	ReasonRootNamespaceOnly = "RootNamespaceOnly"
	// ReasonTargetHasNoGateways is used when a targeted GatewayClass has no Gateway.
	ReasonTargetHasNoGateways = "TargetHasNoGateways"
	// ReasonTargetHasNoPorts is used when the target exists but offers no place: a Gateway without listeners, a
	// waypoint that no Service uses, a Service without ports or of type ExternalName.
	ReasonTargetHasNoPorts = "TargetHasNoPorts"
	// ReasonNoWaypoint is used when a targeted Service or ServiceEntry uses no waypoint (no label, or the value none).
	ReasonNoWaypoint = "NoWaypoint"
	// ReasonWaypointNotFound is used when istio.io/use-waypoint names a Gateway that is missing or is not a waypoint.
	ReasonWaypointNotFound = "WaypointNotFound"
	// ReasonAttachmentDenied is used when allowedRoutes of the waypoint's listener does not admit the target's namespace.
	ReasonAttachmentDenied = "AttachmentDenied"
	// ReasonUnsupportedTrafficType is used when istio.io/waypoint-for of the waypoint leaves Services out.
	ReasonUnsupportedTrafficType = "UnsupportedTrafficType"
	// ReasonNoMatchingPort is used when the target has places, but match.ports leaves all of them out.
	ReasonNoMatchingPort = "NoMatchingPort"
	// ReasonNoMatchingMode is used when match.mode leaves all places of the target out: CLIENT at waypoints, SERVER at
	// ingress gateways.
	ReasonNoMatchingMode = "NoMatchingMode"
	// ReasonProtocolMismatch is used when an HTTP plugin meets only TCP ports, or a NETWORK plugin meets only HTTP ports
	// of a waypoint.
	ReasonProtocolMismatch = "ProtocolMismatch"
	// ReasonTooManyNetworkPlugins is used when all network slots of every place of the target are taken by plugins that
	// come earlier in the order.
	ReasonTooManyNetworkPlugins = "TooManyNetworkPlugins"
	// ReasonNotPermitted is used when a plugin with Lua or host environment from another namespace meets a Gateway whose
	// owner did not opt in.
	ReasonNotPermitted = "NotPermitted"
	// ReasonOtherRevision is used when Istio programs all proxies that the plugin reaches, and the plugin is not labelled
	// istio.io/rev: wasmpoint: istiod runs it there.
	ReasonOtherRevision = "OtherRevision"
	// ReasonNoGatewayInReach is used on a plugin without targets when its namespace (or, from the root namespace, any
	// namespace) has no ingress Gateway.
	ReasonNoGatewayInReach = "NoGatewayInReach"
	// ReasonSelectorMatchesNothing is used when Gateways are in reach, but the selector matches the labels of none.
	ReasonSelectorMatchesNothing = "SelectorMatchesNothing"
	// ReasonWaypointNeedsTargetRef is used when only waypoints are in reach of a plugin without targets: as in Istio,
	// waypoints take plugins by targetRefs alone.
	ReasonWaypointNeedsTargetRef = "WaypointNeedsTargetRef"
)

// Reasons of ResolvedRefs.
const (
	// ReasonResolvedRefs is used with ResolvedRefs=True: the module is here and checked, or the plugin needs none (Lua).
	ReasonResolvedRefs = "ResolvedRefs"
	// ReasonFetching is used while the first fetch is under way.
	ReasonFetching = "Fetching"
	// ReasonFetchFailed is used when the source did not answer or answered with an error; the fetch goes on with back-off.
	ReasonFetchFailed = "FetchFailed"
	// ReasonPullDenied is used when the source refused the credentials, or asked for some that the plugin does not have.
	ReasonPullDenied = "PullDenied"
	// ReasonHostEnvNotAllowed is used when the plugin reads a variable of proxies (valueFrom HOST) that the operator does not
	// allow (hostEnv).
	ReasonHostEnvNotAllowed = "HostEnvNotAllowed"
	// ReasonPullSecretNotFound is used when imagePullSecret names a Secret that does not exist or is of another type. The
	// pull is never tried without credentials instead.
	ReasonPullSecretNotFound = "PullSecretNotFound"
	// ReasonVerificationNotSupported is used when verificationKey is set: signatures cannot be checked yet, and a module
	// whose signature was asked for is not used without.
	ReasonVerificationNotSupported = "VerificationNotSupported"
	// ReasonChecksumMismatch is used when sha256 (or the URL's digest) differs from what was fetched.
	ReasonChecksumMismatch = "ChecksumMismatch"
	// ReasonInvalidModule is used when what was fetched is not a proxy-wasm module.
	ReasonInvalidModule = "InvalidModule"
	// ReasonInvalidURL is used when the URL cannot be understood.
	ReasonInvalidURL = "InvalidURL"
)

// Reasons of Programmed.
const (
	// ReasonProgrammed is used with Programmed=True: every connected proxy of the target runs this generation.
	ReasonProgrammed = "Programmed"
	// ReasonReconciling is used while proxies still have to take this generation.
	ReasonReconciling = "Reconciling"
	// ReasonNoProxies is used when no proxy of the target is connected.
	ReasonNoProxies = "NoProxies"
	// ReasonRefused is used when a proxy refused this generation (NACK); the message holds Envoy's text.
	ReasonRefused = "Refused"
	// ReasonModuleMissing is used when the module of this generation is not here, so no proxy can run it.
	ReasonModuleMissing = "ModuleMissing"
	// ReasonSuperseded is used when this generation is invalid and an older one stays in force: no proxy runs this one.
	// The message counts those that run the older.
	ReasonSuperseded = "Superseded"
)

// ReasonReady is used with Ready=True. Ready=False has the reason of the condition that keeps it so.
const ReasonReady = "Ready"

// Reasons of WaypointAccepted: Istio's words, over all targets that concern a waypoint. Accepted, Invalid and
// TargetNotFound are used besides.
const (
	// ReasonPartiallyInvalid is used with WaypointAccepted=True when some targets are bound and others are not; the
	// message lists the others.
	ReasonPartiallyInvalid = "PartiallyInvalid"
	// ReasonAncestorNotBound is used when the only such target exists and no waypoint that can take the plugin is bound
	// to it.
	ReasonAncestorNotBound = "AncestorNotBound"
)

// ReasonPluginsAttached is used with wasmpoint.dev/WasmPluginAffected=True.
const ReasonPluginsAttached = "PluginsAttached"

// ReasonNotSupported is used with wasmpoint.dev/PoliciesEnforced=False.
const ReasonNotSupported = "NotSupported"

// Reasons of istio.io/WaypointBound, in Istio's words. AttachmentDenied, UnsupportedTrafficType and TargetHasNoPorts (a headless
// Service) are used besides.
const (
	// ReasonWaypointAccepted is used with istio.io/WaypointBound=True.
	ReasonWaypointAccepted = "WaypointAccepted"
	// ReasonWaypointIsNotReady is used when the waypoint is missing, is none, or has no address.
	ReasonWaypointIsNotReady = "WaypointIsNotReady"
)

// Annotations of our own.
const (
	// AnnotationIsolated, with the value "true" on a plugin, gives it a VM of its own, so that it does not fall with the
	// crash of another plugin that uses the same module.
	AnnotationIsolated = "wasmpoint.dev/isolated-vm"
	// AnnotationAllowLuaFrom on a Gateway lists (comma-separated, or "*") the namespaces whose Lua plugins may run in its
	// proxies. The Gateway's own namespace and the root namespace always may.
	AnnotationAllowLuaFrom = "wasmpoint.dev/allow-lua-from"
	// AnnotationAllowHostEnvFrom is the same for plugins that read the proxy's environment (vmConfig.env with valueFrom HOST).
	AnnotationAllowHostEnvFrom = "wasmpoint.dev/allow-host-env-from"
	// AnnotationListenAddresses on a Gateway lists (comma-separated) the addresses on which its proxies listen, for proxies
	// that share a network with others (hostNetwork, or started by hand). Without it they listen on all addresses of their
	// Pod, and a waypoint on its loopback address.
	AnnotationListenAddresses = "wasmpoint.dev/listen-addresses"
)

// ControllerName is the value of status.ancestors[].controllerName and of GatewayClass.spec.controllerName.
const ControllerName = "wasmpoint.dev/controller"

// Class names that wasmpoint programs itself.
const (
	// ClassIngress is the GatewayClass of managed ingress gateways.
	ClassIngress = "wasmpoint"
	// ClassWaypoint is the GatewayClass of managed waypoints; it carries AnnotationInboundBinding = PROXY/15088.
	ClassWaypoint = "wasmpoint-waypoint"
)

// Istio's labels and annotations that the rules read.
const (
	LabelUseWaypoint          = "istio.io/use-waypoint"
	LabelUseWaypointNamespace = "istio.io/use-waypoint-namespace"
	LabelWaypointFor          = "istio.io/waypoint-for"
	LabelGatewayManaged       = "gateway.istio.io/managed"
	AnnotationInboundBinding  = "ambient.istio.io/waypoint-inbound-binding"
	LabelGatewayName          = "gateway.networking.k8s.io/gateway-name"
	LabelGatewayClassName     = "gateway.networking.k8s.io/gateway-class-name"
	// LabelRevision says which revision of Istio an object is for; the others ignore it.
	LabelRevision = "istio.io/rev"
)

// Revision is the value of LabelRevision on plugins that are ours alone: istiod ignores them.
const Revision = "wasmpoint"

// LabelProxy on a Pod says that its Envoy is an external proxy: somebody else programs it, and it asks us for its slots.
const LabelProxy = "wasmpoint.dev/proxy"

// ProxyExternal is the value of LabelProxy of a Pod whose proxy gets all plugins from us. With any other value, such as
// ProxyIstio, Istio is taken to program it, and only plugins that are labelled as ours run there.
const (
	ProxyExternal = "external"
	ProxyIstio    = "istio"
)
