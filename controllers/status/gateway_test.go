package status

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/routes"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

var (
	early = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	later = early.Add(time.Hour)
)

func routing(generation int64) *routes.Result {
	gw := &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "edge", Generation: generation},
		Spec:       gatewayv1.GatewaySpec{Listeners: []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: "HTTP"}}},
	}
	return routes.Compile(routes.Input{Gateway: gw}, store.New())
}

func addressList(values ...string) (out []gatewayv1.GatewayStatusAddress) {
	for _, v := range values {
		out = append(out, gatewayv1.GatewayStatusAddress{Value: v})
	}
	return out
}

func one(conditions []metav1.Condition, kind gatewayv1.GatewayConditionType) string {
	for _, c := range conditions {
		if c.Type == string(kind) {
			return fmt.Sprintf("%s %s: %s (%d, %s)", c.Status, c.Reason, c.Message, c.ObservedGeneration, c.LastTransitionTime.UTC().Format("15:04"))
		}
	}
	return "none"
}

func TestTheTimeOfAConditionChangesWithItsStatusAlone(t *testing.T) {
	in := GatewayInput{Generation: 1, Routes: routing(1), Done: true, Provision: Provision{Managed: true, Addresses: addressList("10.0.0.1")}}
	first := Gateway(in, gatewayv1.GatewayStatus{}, early)
	in.Generation, in.Routes, in.Done, in.Message = 2, routing(2), false, "no proxy is connected"
	second := Gateway(in, first, later)
	for _, c := range []struct {
		got  string
		want string
	}{
		{one(first.Conditions, gatewayv1.GatewayConditionProgrammed), "True Programmed: every connected proxy has the listeners (1, 00:00)"},
		{one(second.Conditions, gatewayv1.GatewayConditionProgrammed), "False Pending: no proxy is connected (2, 01:00)"},
		{one(second.Conditions, gatewayv1.GatewayConditionAccepted), "True Accepted: the Gateway is valid (2, 00:00)"},
		{one(second.Listeners[0].Conditions, "Programmed"), "False Pending: no proxy is connected (2, 01:00)"},
		{one(second.Listeners[0].Conditions, "Accepted"), "True Accepted: the listener is valid (2, 00:00)"},
	} {
		if c.got != c.want {
			t.Errorf("got  %s\nwant %s", c.got, c.want)
		}
	}
	if !LosesProxies(in, first) || LosesProxies(in, second) {
		t.Error("the first loses its proxies, the second had none")
	}
}

func TestWrongParametersAndForeignObjectsStandInTheConditionsThatTheyConcern(t *testing.T) {
	in := GatewayInput{Generation: 1, Routes: routing(1), Done: true, Provision: Provision{Managed: true, Addresses: addressList("10.0.0.1"), Invalid: "bad"}}
	s := Gateway(in, gatewayv1.GatewayStatus{}, early)
	if got := one(s.Conditions, gatewayv1.GatewayConditionAccepted); got != "False InvalidParameters: bad (1, 00:00)" {
		t.Error(got)
	}
	if got := one(s.Conditions, gatewayv1.GatewayConditionProgrammed); got != "True Programmed: every connected proxy has the listeners (1, 00:00)" {
		t.Errorf("what runs is as it was, but: %s", got)
	}
	in.Provision.Invalid, in.Provision.Trouble = "", "a stranger"
	if got := one(Gateway(in, s, later).Conditions, gatewayv1.GatewayConditionProgrammed); got != "False NoResources: a stranger (1, 01:00)" {
		t.Error(got)
	}
}

func TestTheAddressesOfAWaypointComeWithAProxyAndStay(t *testing.T) {
	in := GatewayInput{Generation: 1, Waypoint: true, Routes: routing(1), Message: "no proxy is connected", Provision: Provision{Managed: true, Addresses: addressList("10.0.0.1")}}
	var s gatewayv1.GatewayStatus
	for _, step := range []struct {
		done bool
		has  []gatewayv1.GatewayStatusAddress
		want string
	}{
		{false, addressList("10.0.0.1"), "[]"},
		{true, addressList("10.0.0.1"), "[10.0.0.1]"},
		{false, addressList("10.0.0.1"), "[10.0.0.1]"},
		{false, nil, "[10.0.0.1]"},
		{false, addressList("10.0.0.2"), "[10.0.0.2]"},
	} {
		in.Done, in.Provision.Addresses = step.done, step.has
		s = Gateway(in, s, early)
		got := []string{}
		for _, a := range s.Addresses {
			got = append(got, a.Value)
		}
		if fmt.Sprint(got) != step.want {
			t.Errorf("addresses %v, want %s", got, step.want)
		}
	}
}

func TestEntriesOfOthersOnARouteStayInTheirOrder(t *testing.T) {
	entry := func(controller, gateway, status string, at time.Time) gatewayv1.RouteParentStatus {
		return gatewayv1.RouteParentStatus{
			ControllerName: gatewayv1.GatewayController(controller), ParentRef: gatewayv1.ParentReference{Name: gatewayv1.ObjectName(gateway)},
			Conditions: []metav1.Condition{{Type: "Accepted", Status: metav1.ConditionStatus(status), LastTransitionTime: metav1.NewTime(at)}},
		}
	}
	const ours, theirs = ext.ControllerName, "example.com/other"
	previous := []gatewayv1.RouteParentStatus{entry(theirs, "x", "True", early), entry(ours, "gone", "True", early), entry(ours, "edge", "True", early), entry(theirs, "y", "True", early)}
	in := RouteInput{Generation: 1, Parents: []gatewayv1.RouteParentStatus{entry(ours, "new", "True", time.Time{}), entry(ours, "edge", "True", time.Time{})}}
	var got []string
	for _, p := range RouteParents(in, previous, later) {
		got = append(got, fmt.Sprintf("%s %s", p.ParentRef.Name, p.Conditions[0].LastTransitionTime.UTC().Format("15:04")))
	}
	if want := []string{"x 00:00", "edge 00:00", "y 00:00", "new 01:00"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheFeaturesOfAClassAreSortedAndAWaypointHasNone(t *testing.T) {
	s := Class(ClassInput{}, 3, gatewayv1.GatewayClassStatus{}, early)
	if !slices.IsSorted(features) || len(s.SupportedFeatures) != len(features) || s.Conditions[0].ObservedGeneration != 3 {
		t.Errorf("status %+v", s)
	}
	if s := Class(ClassInput{Waypoint: true, Invalid: "bad"}, 3, s, later); len(s.SupportedFeatures) > 0 || one(s.Conditions, "Accepted") != "False InvalidParameters: bad (3, 01:00)" {
		t.Errorf("status %+v", s)
	}
}

func TestAWaypointHasNoAddressBeforeAPodOfItIsReadyAndKeepsItAfterwards(t *testing.T) {
	in := GatewayInput{
		Generation: 1, Waypoint: true, Routes: meshRouting(), Done: true, NoneReady: true,
		Provision: Provision{Managed: true, Addresses: addressList("10.0.0.1")},
	}
	s := Gateway(in, gatewayv1.GatewayStatus{}, early)
	if got := one(s.Conditions, gatewayv1.GatewayConditionProgrammed); len(s.Addresses) > 0 || got != "False Pending: no Pod of the waypoint is ready yet (1, 00:00)" {
		t.Errorf("addresses %v, %s", s.Addresses, got)
	}
	in.NoneReady = false
	s = Gateway(in, s, early)
	if got := one(s.Conditions, gatewayv1.GatewayConditionProgrammed); len(s.Addresses) != 1 || got != "True Programmed: every connected proxy has the listeners (1, 00:00)" {
		t.Errorf("addresses %v, %s", s.Addresses, got)
	}
	in.NoneReady = true
	if s = Gateway(in, s, later); len(s.Addresses) != 1 {
		t.Error("the address is gone with the last ready Pod: ztunnels go around the waypoint")
	}
}

func meshRouting() *routes.Result {
	gw := &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "way", Generation: 1},
		Spec:       gatewayv1.GatewaySpec{Listeners: []gatewayv1.Listener{{Name: "mesh", Port: 15008, Protocol: "HBONE"}}},
	}
	return routes.Compile(routes.Input{Gateway: gw, Waypoint: true}, store.New())
}

func TestAGatewayWithoutAddressSaysWhatItWaitsFor(t *testing.T) {
	in := GatewayInput{Generation: 1, Routes: routing(1), Done: true, Provision: Provision{Managed: true, Awaits: "Service x waits"}}
	if got := one(Gateway(in, gatewayv1.GatewayStatus{}, early).Conditions, gatewayv1.GatewayConditionProgrammed); got != "False AddressNotAssigned: Service x waits (1, 00:00)" {
		t.Error(got)
	}
}
