package v1

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

func TestAServiceEntryWithEveryFieldLoadsStrictly(t *testing.T) {
	const text = `
apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata: {name: e, labels: {istio.io/use-waypoint: w}}
spec:
  hosts: [api.example.com]
  addresses: [240.0.0.1]
  ports:
  - {number: 443, name: tls, protocol: TLS, targetPort: 8443}
  location: MESH_EXTERNAL
  resolution: DYNAMIC_DNS
  endpoints:
  - address: 10.0.0.1
    ports: {tls: 9443}
    labels: {a: b}
    network: n
    locality: r/z/s
    weight: 3
    serviceAccount: sa
  workloadSelector: {labels: {app: x}}
  exportTo: ["."]
  subjectAltNames: [spiffe://x]
status:
  observedGeneration: "3"
  addresses: [{value: 240.0.0.1, host: api.example.com}]
  conditions:
  - {type: istio.io/WaypointBound, status: "True", reason: r, message: m, observedGeneration: "3", lastProbeTime: "2026-01-02T03:04:05Z", lastTransitionTime: "2026-01-02T03:04:05Z"}
  validationMessages: [{type: {name: n, code: IST0101}, level: INFO, documentationUrl: u}]
`
	var e ServiceEntry
	if err := yaml.UnmarshalStrict([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	port, endpoint := e.Spec.Ports[0], e.Spec.Endpoints[0]
	if port.Number != 443 || port.TargetPort != 8443 || endpoint.Ports["tls"] != 9443 || endpoint.Weight != 3 {
		t.Errorf("read %+v", e.Spec)
	}
	if got := e.Status.ObservedGeneration.IntValue(); got != 3 {
		t.Errorf("observedGeneration is %d, want 3", got)
	}
	if e.Spec.Resolution != ResolutionDynamicDNS || e.Spec.WorkloadSelector.Labels["app"] != "x" {
		t.Errorf("read %+v", e.Spec)
	}
	if c := e.DeepCopy(); c.Spec.Endpoints[0].Labels["a"] != "b" || &c.Spec.Endpoints[0] == &e.Spec.Endpoints[0] {
		t.Error("the copy shares its endpoints")
	}
}

func TestAnUnknownFieldOfAServiceEntryIsAnError(t *testing.T) {
	var e ServiceEntry
	if err := yaml.UnmarshalStrict([]byte("spec: {host: [a]}"), &e); err == nil {
		t.Error("spec.host was taken")
	}
}

func TestASchemeKnowsServiceEntryAsV1Alone(t *testing.T) {
	s := runtime.NewScheme()
	if err := AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	kinds, _, err := s.ObjectKinds(&ServiceEntry{})
	if err != nil || len(kinds) != 1 || kinds[0] != GroupVersion.WithKind(KindServiceEntry) {
		t.Errorf("kinds %v, error %v", kinds, err)
	}
}
