package provisioner

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// rig is a Provisioner without its queue, on an API server in memory: a test looks at a Gateway itself. What needs a real one
// is in conformance/controller.
type rig struct {
	t *testing.T
	*Provisioner
	client.Client
	// refuse is the answer to every apply, nil to take it.
	refuse error
	log    *testbed.Text
}

// reader is a cache that is never behind.
type reader struct {
	cache.Cache
	client.Client
}

func (r reader) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	return r.Client.Get(ctx, key, o, opts...)
}

func (r reader) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	err := r.Client.List(ctx, list, opts...)
	if deployments, is := list.(*appsv1.DeploymentList); is {
		for i := range deployments.Items { // the API server in memory says no time
			if d := &deployments.Items[i]; d.CreationTimestamp.IsZero() {
				d.CreationTimestamp = metav1.Now()
			}
		}
	}
	return err
}

func newRig(t *testing.T, objects ...client.Object) *rig {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), gatewayv1.Install(scheme)); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, log: &testbed.Text{}}
	r.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if r.refuse != nil {
				return r.refuse
			}
			return c.Apply(ctx, o, opts...)
		},
	}).Build()
	r.Provisioner = New(Options{
		Cache: reader{Client: r.Client}, Client: r.Client, Logger: slog.New(slog.NewTextHandler(r.log, nil)),
		Facts: func() provision.Facts {
			return provision.Facts{Image: "envoy", XDS: "wasmpoint:15010", Modules: "wasmpoint:15011", TLS: &bootstrap.TLS{CAFile: "/ca.crt", Name: "wasmpoint"}}
		},
		Changed: func(types.NamespacedName) {}, ClassChanged: func(string) {},
	})
	r.begin()
	r.maps = newMaps(t.Context(), nil, func(item) {})
	return r
}

// look is what the provisioner says after a look at a Gateway.
func (r *rig) look(name string) (s status.Provision, err error) {
	r.t.Helper()
	it := item{types.NamespacedName{Namespace: "shop", Name: name}}
	_, err = r.gateway(r.t.Context(), it)
	s, _ = r.State(it.NamespacedName)
	return s, err
}

func edge() *gatewayv1.Gateway {
	return &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "edge", UID: "edge-1", Generation: 1},
		Spec: gatewayv1.GatewaySpec{GatewayClassName: "wasmpoint", Listeners: []gatewayv1.Listener{
			{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType},
		}},
	}
}

// edit changes a Gateway as its owner does.
func (r *rig) edit(gw *gatewayv1.Gateway, change func()) {
	r.t.Helper()
	if err := r.Get(r.t.Context(), client.ObjectKeyFromObject(gw), gw); err != nil {
		r.t.Fatal(err)
	}
	change()
	gw.Generation++
	if err := r.Update(r.t.Context(), gw); err != nil {
		r.t.Fatal(err)
	}
}

var (
	errDown      = apierrors.NewInternalError(errors.New("etcdserver: leader changed"))
	errForbidden = apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "edge-wasmpoint", errors.New("no"))
)
