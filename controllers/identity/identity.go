package identity

import (
	"context"
	"log/slog"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// Options configure an Authenticator. Reviews and Pods are needed.
type Options struct {
	Reviews Reviewer
	// Pods reads the Pods of Gateways from a cache; others it need not know.
	Pods client.Reader
	// External reads the metadata of the Pods of external proxies from a cache of its own; nil: there are none.
	External client.Reader
	// Refused is told the reason of each refusal.
	Refused func(reason string)
	Logger  *slog.Logger
	Now     func() time.Time
}

// Authenticator tells whose proxies streams are. Its server needs ServerOption.
type Authenticator struct {
	pods     client.Reader
	external client.Reader
	reviews  *reviews
	streams  streams
	refused  func(reason string)
	log      *slog.Logger
}

// New makes an authenticator. Call WatchPods before the first stream.
func New(o Options) *Authenticator {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Refused == nil {
		o.Refused = func(string) {}
	}
	return &Authenticator{
		pods: o.Pods, external: o.External, reviews: newReviews(o.Reviews, o.Now), refused: o.Refused, log: o.Logger,
		streams: streams{byPod: map[types.UID]map[*stream]struct{}{}},
	}
}

// Identify is the Gateway whose proxy a stream is, or (model.IsWorkload) the workload of an external proxy. What its node says of
// itself must be the same. The error is a gRPC status, whose text says what to do.
func (a *Authenticator) Identify(ctx context.Context, node *corev3.Node) (types.NamespacedName, error) {
	gateway, reason, err := a.identify(ctx, node)
	if err != nil {
		a.refused(reason)
	}
	return gateway, err
}

func (a *Authenticator) identify(ctx context.Context, node *corev3.Node) (gateway types.NamespacedName, reason string, err error) {
	if token := bearer(ctx); token != "" {
		return a.byToken(ctx, token, node)
	}
	cert := certificate(ctx)
	if cert == nil {
		return gateway, ReasonNoCredentials, errNoCredentials
	}
	if gateway, err = gatewayOfCertificate(cert); err != nil {
		return gateway, ReasonBadCert, err
	}
	// A certificate names a Gateway and no proxy. Its holder may have any name that is not a Pod's.
	switch _, _, err := a.podOf(ctx, namedBy(node, gateway.Namespace)); {
	case err == nil:
		return gateway, ReasonOtherNode, status.Errorf(codes.PermissionDenied,
			"the node id %q is the name of a Pod, whose proxy shows a token; give the proxy outside of the cluster another id", node.GetId())
	case status.Code(err) != codes.Unauthenticated:
		return gateway, ReasonUnreachable, err
	}
	reason, err = says(node, gateway, "certificate")
	return gateway, reason, err
}

// byToken is the Gateway of the Pod to which a token is bound.
func (a *Authenticator) byToken(ctx context.Context, token string, node *corev3.Node) (gateway types.NamespacedName, reason string, err error) {
	p, reason, err := a.tokenPod(ctx, token)
	if err != nil {
		return gateway, reason, err
	}
	end, ok := endOf(ctx)
	if !ok {
		return gateway, ReasonUnreachable, status.Error(codes.Internal, "the server was made without identity.ServerOption")
	}
	a.streams.add(ctx, p.uid, end) // before the Pod is looked at, or its end could be missed
	gateway, uid, err := a.podOf(ctx, p.NamespacedName)
	if err == nil && uid != p.uid {
		err = refuse("Pod %s is another one than the token's, which is gone; the proxy has to use the token of its own Pod", p.NamespacedName)
	}
	if err != nil {
		return gateway, ReasonNoPod, err
	}
	gateway = labelled(gateway, node)
	if reason, err := says(node, gateway, "Pod "+p.String()); err != nil {
		return gateway, reason, err
	}
	if namedBy(node, p.Namespace) != p.NamespacedName {
		return gateway, ReasonOtherNode, status.Errorf(codes.PermissionDenied,
			"the node id is %q, but the token is of Pod %s; the id must be the Pod's name (`wasmpoint bootstrap --id %s`)", node.GetId(), p.NamespacedName, p.Name)
	}
	if err := a.notIstios(ctx, node, p.NamespacedName, gateway); err != nil {
		return gateway, ReasonOtherNode, err
	}
	return gateway, "", nil
}

// podOf is whose proxy is in a Pod, and the Pod's uid.
func (a *Authenticator) podOf(ctx context.Context, name types.NamespacedName) (owner types.NamespacedName, uid types.UID, err error) {
	found := &corev1.Pod{}
	err = a.pods.Get(ctx, name, found)
	if gateway := found.Labels[extv1.LabelGatewayName]; err == nil && gateway != "" {
		return types.NamespacedName{Namespace: name.Namespace, Name: gateway}, found.UID, nil
	}
	if a.external != nil && (err == nil || apierrors.IsNotFound(err)) {
		meta := externalPod()
		if err = a.external.Get(ctx, name, meta); err == nil && isExternal(meta) {
			return workloadOf(meta), meta.UID, nil
		}
	}
	if err == nil || apierrors.IsNotFound(err) {
		return owner, "", refuse("Pod %s is gone, or has neither the label %s with the name of its Gateway nor %s (%s or %s); label it, if it is a proxy",
			name, extv1.LabelGatewayName, extv1.LabelProxy, extv1.ProxyExternal, extv1.ProxyIstio)
	}
	return owner, "", status.Errorf(codes.Unavailable, "Pod %s cannot be read: %v; connect again", name, err)
}

// labelled is the Gateway that a Pod's label names. A label is shorter than a Gateway's name may be: then the node says the
// name, and the label proves it.
func labelled(label types.NamespacedName, node *corev3.Node) types.NamespacedName {
	if name := said(node); name.Namespace == label.Namespace && provision.LabelValue(name.Name) == label.Name {
		return name
	}
	return label
}

// said is the Gateway of which a node says that it is a proxy.
func said(node *corev3.Node) types.NamespacedName {
	f := node.GetMetadata().GetFields()
	return types.NamespacedName{Namespace: f[bootstrap.MetadataNamespace].GetStringValue(), Name: f[bootstrap.MetadataGateway].GetStringValue()}
}

// says refuses a node that says to be another Gateway's proxy than it is. One that says nothing is believed the proof.
func says(node *corev3.Node, gateway types.NamespacedName, proof string) (reason string, err error) {
	said := said(node)
	if said == (types.NamespacedName{}) || said == gateway {
		return "", nil
	}
	if model.IsWorkload(gateway) {
		return ReasonOtherGateway, status.Errorf(codes.PermissionDenied,
			"the node says that it is a proxy of Gateway %s, but its %s is an external proxy of no Gateway; take the metadata out of its bootstrap, or label the Pod %s",
			said, proof, extv1.LabelGatewayName)
	}
	return ReasonOtherGateway, status.Errorf(codes.PermissionDenied,
		"the node says that it is a proxy of Gateway %s, but by its %s it is one of Gateway %s; make its bootstrap for that one", said, proof, gateway)
}

// bearer is the token of a stream, "" without.
func bearer(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get("authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
