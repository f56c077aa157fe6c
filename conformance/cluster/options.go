package cluster

// Option changes what Start starts.
type Option func(*options)

type options struct {
	without           []string
	noCRDs            bool
	istio             bool
	controllerManager bool
	apiServerFlags    []string
}

// WithoutCRDs leaves out CRDs, by name as "wasmplugins.extensions.istio.io". InstallCRDs installs them later.
func WithoutCRDs(names ...string) Option {
	return func(o *options) { o.without = append(o.without, names...) }
}

// WithoutAnyCRD installs none: the test does.
func WithoutAnyCRD() Option { return func(o *options) { o.noCRDs = true } }

// WithIstioCRDs installs those of Istio of which something is read: ServiceEntry, AuthorizationPolicy, RequestAuthentication.
func WithIstioCRDs() Option { return func(o *options) { o.istio = true } }

// WithControllerManager runs kube-controller-manager too, with the controllers of Deployments, ReplicaSets,
// EndpointSlices, namespaces, ServiceAccounts, root certificates and owned objects; and turns on the admission plugin
// that gives Pods their ServiceAccount, which needs those.
func WithControllerManager() Option { return func(o *options) { o.controllerManager = true } }

// WithAPIServerFlags adds flags to kube-apiserver's, as "--service-cluster-ip-range=10.1.0.0/16". The last one wins.
func WithAPIServerFlags(flags ...string) Option {
	return func(o *options) { o.apiServerFlags = append(o.apiServerFlags, flags...) }
}
