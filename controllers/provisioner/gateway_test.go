package provisioner

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestAnErrorThatPassesChangesNoStatusAndOneThatStaysIsToldWithTheGeneration(t *testing.T) {
	gw := edge()
	r := newRig(t, gw)
	said, err := r.look("edge")
	if err != nil || said.Trouble != "" || said.Generation != 1 || !said.Managed {
		t.Fatalf("%+v, %v", said, err)
	}
	r.edit(gw, func() { gw.Spec.Listeners[0].Port = gatewayv1.PortNumber(81) })
	r.refuse = errDown
	if said, err = r.look("edge"); err == nil || said.Trouble != "" || said.Generation != 1 {
		t.Errorf("%+v, %v: want what was said before, and an error to try again for", said, err)
	}
	r.failing[item{types.NamespacedName{Namespace: "shop", Name: "edge"}}] = time.Now().Add(-2 * patience)
	if said, err = r.look("edge"); err == nil || !strings.Contains(said.Trouble, "leader changed") || said.Generation != 2 {
		t.Errorf("%+v, %v after a while: want the trouble", said, err)
	}
	r.refuse = nil
	if said, err = r.look("edge"); err != nil || said.Trouble != "" || said.Generation != 2 {
		t.Errorf("%+v, %v: want no trouble", said, err)
	}
	r.edit(gw, func() { gw.Spec.Listeners[0].Port = gatewayv1.PortNumber(82) })
	r.refuse = errForbidden
	if said, err = r.look("edge"); err == nil || !strings.Contains(said.Trouble, "forbidden") || said.Generation != 3 {
		t.Errorf("%+v, %v: want the refusal at once", said, err)
	}
}

// deployment is one as the API server has it; available is what its controller says.
func (r *rig) deployment(name string, available int32) {
	r.t.Helper()
	d := &appsv1.Deployment{}
	if err := r.Get(r.t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, d); err != nil {
		r.t.Fatal(err)
	}
	d.Status.AvailableReplicas = available
	if err := r.Client.Status().Update(r.t.Context(), d); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) deployments() string {
	r.t.Helper()
	var list appsv1.DeploymentList
	if err := r.List(r.t.Context(), &list); err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, d := range list.Items {
		out = append(out, d.Name)
	}
	return strings.Join(out, " ")
}

func TestTheProxiesOfAFormerClassStayUntilTheNewOnesServe(t *testing.T) {
	for _, c := range []struct {
		what string
		then func(r *rig)
	}{
		{"a new one is available", func(r *rig) { r.deployment("edge-wasmpoint-large", 1) }},
		{"they may never be", func(r *rig) {
			d := &appsv1.Deployment{}
			if err := r.Get(r.t.Context(), client.ObjectKey{Namespace: "shop", Name: "edge-wasmpoint-large"}, d); err != nil {
				r.t.Fatal(err)
			}
			d.CreationTimestamp = metav1.NewTime(time.Now().Add(-2 * newGrace))
			if err := r.Update(r.t.Context(), d); err != nil {
				r.t.Fatal(err)
			}
		}},
		{"the old ones do not serve either", func(r *rig) { r.deployment("edge-wasmpoint", 0) }},
	} {
		gw, large := edge(), &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "wasmpoint-large"}}
		large.Spec.ControllerName = "wasmpoint.dev/controller"
		r := newRig(t, gw, large)
		look := func() time.Duration {
			t.Helper()
			again, err := r.gateway(t.Context(), item{types.NamespacedName{Namespace: "shop", Name: "edge"}})
			if err != nil {
				t.Fatal(err)
			}
			return again
		}
		look()
		r.deployment("edge-wasmpoint", 1)
		r.edit(gw, func() { gw.Spec.GatewayClassName = "wasmpoint-large" })
		look()
		r.deployment("edge-wasmpoint-large", 0)
		if again := look(); again == 0 || r.deployments() != "edge-wasmpoint edge-wasmpoint-large" {
			t.Errorf("%s: before, there is %s, and the next look is in %s", c.what, r.deployments(), again)
		}
		c.then(r)
		if look(); r.deployments() != "edge-wasmpoint-large" {
			t.Errorf("%s: there is %s", c.what, r.deployments())
		}
	}
}

func TestWhatAnOlderGatewayOfTheNameLeftIsSaidToGo(t *testing.T) {
	gw := edge()
	r := newRig(t, gw)
	if _, err := r.look("edge"); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(t.Context(), gw); err != nil {
		t.Fatal(err)
	}
	again := edge()
	again.UID = "edge-2"
	if err := r.Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if said, err := r.look("edge"); err != nil || said.Trouble != "ServiceAccount shop/edge-wasmpoint is of an older Gateway of this name, and is being removed" {
		t.Errorf("%+v, %v", said, err)
	}
}

func TestAnObjectThatNobodyChangesAnyMoreIsForgotten(t *testing.T) {
	r := newRig(t)
	object := func(uid types.UID) *unstructured.Unstructured {
		o := &unstructured.Unstructured{}
		o.SetUID(uid)
		return o
	}
	now := time.Now()
	undo := func(uid types.UID) (wait time.Duration) {
		_, wait, _ = r.mayFight(object(uid), now)
		return wait
	}
	if undo("a") != 0 || undo("a") == 0 {
		t.Error("a change is undone at once, and the next one later")
	}
	now = now.Add(3 * lastFight)
	if undo("b") != 0 || len(r.fights) != 1 || undo("a") != 0 {
		t.Errorf("what is remembered: %v", r.fights)
	}
}

func TestAServiceWithoutLoadBalancerIsSaidToWaitForIt(t *testing.T) {
	r := newRig(t, edge())
	said, err := r.look("edge")
	if err != nil || len(said.Addresses) > 0 ||
		said.Awaits != "Service shop/edge-wasmpoint waits for its load balancer; set serviceType ClusterIP or NodePort in the parameters where there is none" {
		t.Errorf("%+v, %v", said, err)
	}
	s := &corev1.Service{}
	if err := r.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "edge-wasmpoint"}, s); err != nil {
		t.Fatal(err)
	}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}
	if err := r.Client.Status().Update(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if said, err := r.look("edge"); err != nil || said.Awaits != "" || len(said.Addresses) != 1 || said.Addresses[0].Value != "192.0.2.1" {
		t.Errorf("%+v, %v", said, err)
	}
}
