package suite

import (
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/wasmpoint/wasmpoint/manifests"
)

func TestDocumentsOfAStepWaitAndVariablesAreFilledIn(t *testing.T) {
	files := fstest.MapFS{"a.yaml": {Data: []byte("# comment\n---\nkind: A\nmetadata: {name: \"${RUN}-a\"}\n---\nkind: B\n" +
		"metadata:\n  name: b\n  annotations: {conformance.wasmpoint.dev/step: later, other: stays}\n")}}
	steps, err := load(files, []string{"a.yaml"}, map[string]string{"RUN": "x"})
	if err != nil {
		t.Fatal(err)
	}
	now, later := steps[""], steps["later"]
	if len(now) != 1 || now[0].GetName() != "x-a" || len(later) != 1 || later[0].GetKind() != "B" {
		t.Fatalf("%v", steps)
	}
	if a := later[0].GetAnnotations(); len(a) != 1 || a["other"] != "stays" {
		t.Errorf("annotations %v", a)
	}
	if _, err := load(files, []string{"a.yaml"}, nil); err == nil || !strings.Contains(err.Error(), "${RUN}") || !strings.Contains(err.Error(), "a.yaml") {
		t.Errorf("an unknown variable: %v", err)
	}
}

func TestAConditionIsMetOnlyForTheCurrentGeneration(t *testing.T) {
	list := []metav1.Condition{{Type: "Programmed", Status: "False", Reason: "Refused", Message: "refused by edge-1: text", ObservedGeneration: 2}}
	for want, e := range map[string]Expect{
		"":                     False("Programmed", "Refused", "edge-1", "text"),
		"want True":            True("Programmed"),
		"want False/Other":     False("Programmed", "Other"),
		`want "edge-2"`:        False("Programmed", "Refused", "edge-2"),
		"no condition Another": True("Another"),
	} {
		if got := e.missing(list, 2); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%+v: %q, want %q", e, got, want)
		}
	}
	if got := False("Programmed", "Refused").missing(list, 3); !strings.Contains(got, "has generation 3") {
		t.Errorf("an older generation: %q", got)
	}
}

func TestThePROXYHeaderHasTheAddressThatWasAskedForAndTheClient(t *testing.T) {
	got := proxyHeader(netip.MustParseAddrPort("10.244.1.1:1000"), netip.MustParseAddrPort("10.96.0.7:9080"))
	const identity = "spiffe://cluster.local/ns/clients/sa/client" // 43 bytes
	want := "\r\n\r\n\x00\r\nQUIT\n" + "\x21\x11\x00\x3a" + "\x0a\xf4\x01\x01" + "\x0a\x60\x00\x07" + "\x03\xe8" + "\x23\x78" + "\xd0\x00\x2b" + identity
	if string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// The suite's controller has the rights that install.yaml grants, and they go with the run.
func TestTheShippedRBACIsMovedIntoTheRunAsAWhole(t *testing.T) {
	s := &Suite{run: "wpc-x"}
	list, err := documents(manifests.Install)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, o := range list {
		switch o.GetKind() {
		case "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding":
			s.rename(o)
			seen[o.GetKind()]++
			if o.GetNamespace() == "" && !strings.HasSuffix(o.GetName(), "-wpc-x") || o.GetNamespace() != "" && o.GetNamespace() != "wpc-x-system" {
				t.Errorf("%s %s/%s is not of the run", o.GetKind(), o.GetNamespace(), o.GetName())
			}
			checkBinding(t, o)
		}
	}
	if seen["ServiceAccount"] != 1 || seen["ClusterRole"] == 0 || seen["ClusterRole"] != seen["ClusterRoleBinding"] || seen["Role"] != 1 {
		t.Errorf("install.yaml has %v", seen)
	}
}

func checkBinding(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	if role, is, _ := unstructured.NestedString(o.Object, "roleRef", "name"); is && strings.HasPrefix(o.GetKind(), "Cluster") && !strings.HasSuffix(role, "-wpc-x") {
		t.Errorf("%s %s refers to %s", o.GetKind(), o.GetName(), role)
	}
	subjects, _, _ := unstructured.NestedSlice(o.Object, "subjects")
	for _, subject := range subjects {
		if ns := subject.(map[string]any)["namespace"]; ns != "wpc-x-system" {
			t.Errorf("%s %s is for namespace %v", o.GetKind(), o.GetName(), ns)
		}
	}
}
