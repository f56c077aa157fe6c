package provisioner

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
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
