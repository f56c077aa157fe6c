package provisioner

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// read reads an object from the cache; nil: there is none.
func read[T any, P interface {
	*T
	client.Object
}](ctx context.Context, r client.Reader, name types.NamespacedName) (P, error) {
	o := P(new(T))
	err := r.Get(ctx, name, o)
	var uncached *cache.ErrResourceNotCached
	if client.IgnoreNotFound(err) == nil && err != nil || errors.As(err, &uncached) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return o, nil
}

// gateway brings the objects of one Gateway to what they should be. again is when to look again without an event.
func (p *Provisioner) gateway(ctx context.Context, it item) (again time.Duration, err error) {
	gw, err := read[gatewayv1.Gateway](ctx, p.opts.Cache, it.NamespacedName)
	if err != nil {
		return 0, err
	}
	if gw == nil || gw.DeletionTimestamp != nil {
		p.forget(it) // the API server's garbage collection removes what it owned
		return 0, nil
	}
	class, err := read[gatewayv1.GatewayClass](ctx, p.opts.Cache, types.NamespacedName{Name: string(gw.Spec.GatewayClassName)})
	if err != nil {
		return 0, err
	}
	if p.opts.Off {
		p.tell(it, status.Provision{Generation: gw.Generation, Addresses: requested(gw)})
		return 0, nil
	}
	if manual := provision.IsManual(gw); manual || !p.managed(gw, class) {
		p.maps.use(it) // none any more
		lost, err := p.lostItsClass(ctx, gw, class)
		switch {
		case err != nil:
			return 0, err
		case lost && !manual:
			return 0, p.keep(ctx, it, gw)
		}
		p.tell(it, status.Provision{Generation: gw.Generation, Addresses: requested(gw)})
		return 0, p.removeLeftovers(ctx, gw, nil)
	}
	in, invalid, known := p.input(it, gw, class)
	if !known {
		return 0, nil // the answer about its parameters touches it again
	}
	objects, err := provision.Objects(in)
	var wrong *provision.InvalidParameters
	if errors.As(err, &wrong) {
		invalid, err = wrong.Message, nil
	}
	if err != nil {
		p.tell(it, status.Provision{Generation: gw.Generation, Managed: true, Trouble: err.Error()})
		return 0, err
	}
	state := status.Provision{Generation: gw.Generation, Managed: true, Invalid: invalid}
	if invalid == "" { // otherwise what runs stays as it is
		again, err = p.replace(ctx, gw, objects)
		var stranger *strangerError
		if errors.As(err, &stranger) {
			again, err = 15*time.Second, nil // it is not in the cache, so its end is no event
			state.Trouble = stranger.Error()
		}
		if err != nil {
			if p.mayPass(it, err, time.Now()) {
				return 0, err // what was told before stays: what runs is as it was
			}
			state.Trouble = err.Error()
		}
	}
	if failed := p.reach(ctx, gw, &state); err == nil {
		err = failed
	}
	if ctx.Err() == nil {
		p.tell(it, state)
	}
	return again, err
}

// replace applies the objects, and removes what is left over when nobody needs it any more.
func (p *Provisioner) replace(ctx context.Context, gw *gatewayv1.Gateway, objects []*unstructured.Unstructured) (again time.Duration, err error) {
	if again, err = p.apply(ctx, gw, objects); err != nil {
		return again, err
	}
	waits, err := p.oldOnesServe(ctx, gw, time.Now())
	switch {
	case err != nil:
		return again, err
	case !waits:
		return again, p.removeLeftovers(ctx, gw, objects)
	case again == 0 || again > availableEvery:
		again = availableEvery
	}
	return again, nil
}

// reach says where a Gateway can be reached through its Service.
func (p *Provisioner) reach(ctx context.Context, gw *gatewayv1.Gateway, state *status.Provision) error {
	s, err := read[corev1.Service](ctx, p.opts.Cache, types.NamespacedName{Namespace: gw.Namespace, Name: provision.Name(gw)})
	if err != nil || s == nil || !provision.IsOf(s, gw) {
		return err
	}
	state.Addresses = provision.Addresses(s)
	if provision.AwaitsLoadBalancer(s) {
		state.Awaits = fmt.Sprintf("Service %s/%s waits for its load balancer; set serviceType ClusterIP or NodePort in the parameters where there is none", s.Namespace, s.Name)
	}
	return nil
}

// keep leaves everything as it is for a Gateway whose class is gone.
func (p *Provisioner) keep(ctx context.Context, it item, gw *gatewayv1.Gateway) error {
	state := status.Provision{Generation: gw.Generation, Managed: true}
	err := p.reach(ctx, gw, &state)
	if err == nil {
		p.tell(it, state)
	}
	return err
}

// requested are the addresses that a Gateway names itself, or those on which its proxies listen.
func requested(gw *gatewayv1.Gateway) (out []gatewayv1.GatewayStatusAddress) {
	for _, a := range gw.Spec.Addresses {
		if a.Value != "" {
			out = append(out, gatewayv1.GatewayStatusAddress(a))
		}
	}
	if len(out) > 0 {
		return out
	}
	kind := gatewayv1.IPAddressType
	for text := range strings.SplitSeq(gw.Annotations[extv1.AnnotationListenAddresses], ",") {
		if a, err := netip.ParseAddr(strings.TrimSpace(text)); err == nil {
			out = append(out, gatewayv1.GatewayStatusAddress{Type: &kind, Value: a.String()})
		}
	}
	return out
}

// managed tells whether the proxies of a Gateway are ours to make.
func (p *Provisioner) managed(gw *gatewayv1.Gateway, class *gatewayv1.GatewayClass) bool {
	if class != nil {
		if class.Spec.ControllerName == extv1.ControllerName {
			return true
		}
		if _, alias := p.opts.Attach.ClassAliases[class.Name]; !alias {
			return false
		}
	}
	switch p.opts.Attach.Class(string(gw.Spec.GatewayClassName)) {
	case extv1.ClassIngress, extv1.ClassWaypoint:
		return true
	}
	return false
}

// input gathers what a Gateway's objects depend on. invalid says what is wrong with a reference; known is false while the
// API server did not answer about a ConfigMap.
func (p *Provisioner) input(it item, gw *gatewayv1.Gateway, class *gatewayv1.GatewayClass) (in provision.Input, invalid string, known bool) {
	in = provision.Input{Gateway: gw, Facts: p.opts.Facts(), Waypoint: p.isWaypoint(gw, class)}
	var refs []reference
	if class != nil && class.Spec.ParametersRef != nil {
		refs = append(refs, ofClass(class))
	}
	if i := gw.Spec.Infrastructure; i != nil && i.ParametersRef != nil {
		refs = append(refs, reference{
			field: "spec.infrastructure.parametersRef", group: i.ParametersRef.Group, kind: i.ParametersRef.Kind,
			name: types.NamespacedName{Namespace: gw.Namespace, Name: i.ParametersRef.Name}, into: &in.Parameters,
		})
	}
	if len(refs) > 0 && refs[0].class {
		refs[0].into = &in.Defaults
	}
	invalid, known = p.resolve(it, refs)
	return in, invalid, known
}

// classView is all that the rules for waypoints read.
type classView struct {
	attach.View
	class *gatewayv1.GatewayClass
}

// GatewayClass is the Gateway's own.
func (v classView) GatewayClass(string) *gatewayv1.GatewayClass { return v.class }

func (p *Provisioner) isWaypoint(gw *gatewayv1.Gateway, class *gatewayv1.GatewayClass) bool {
	return attach.Rules{Config: p.opts.Attach, View: classView{class: class}}.IsWaypoint(gw)
}

// class checks the parameters of a class, and touches its Gateways.
func (p *Provisioner) class(ctx context.Context, name string) error {
	class, err := read[gatewayv1.GatewayClass](ctx, p.opts.Cache, types.NamespacedName{Name: name})
	if err != nil {
		return err
	}
	it := item{types.NamespacedName{Name: name}}
	p.touchGateways(ctx, func(gw *gatewayv1.Gateway) bool { return string(gw.Spec.GatewayClassName) == name })
	if class == nil || class.Spec.ControllerName != extv1.ControllerName {
		p.maps.use(it)
		p.tellClass(name, nil)
		return nil
	}
	in := status.ClassInput{Waypoint: p.isWaypoint(&gatewayv1.Gateway{Spec: gatewayv1.GatewaySpec{GatewayClassName: gatewayv1.ObjectName(name)}}, class)}
	if p.opts.Off { // nobody reads the parameters
		p.tellClass(name, &in)
		return nil
	}
	var refs []reference
	var m *corev1.ConfigMap
	if class.Spec.ParametersRef != nil {
		ref := ofClass(class)
		ref.into = &m
		refs = append(refs, ref)
	}
	invalid, known := p.resolve(it, refs)
	if !known {
		return nil
	}
	if in.Invalid = invalid; invalid == "" {
		if err := provision.CheckParameters(m, in.Waypoint); err != nil {
			in.Invalid = err.Error()
		}
	}
	p.tellClass(name, &in)
	return nil
}

// resolve reads the ConfigMaps that references name.
func (p *Provisioner) resolve(it item, refs []reference) (invalid string, known bool) {
	names := make([]types.NamespacedName, 0, len(refs))
	for _, r := range refs {
		if invalid = r.check(); invalid != "" {
			return invalid, true
		}
		names = append(names, r.name)
	}
	p.maps.use(it, names...)
	known = true
	for _, r := range refs {
		m, answered := p.maps.get(r.name)
		switch {
		case !answered:
			known = false
		case m == nil:
			return fmt.Sprintf("%s: ConfigMap %s does not exist; create it, or remove the reference", r.field, r.name), true
		default:
			*r.into = m
		}
	}
	return "", known
}
