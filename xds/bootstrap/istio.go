package bootstrap

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Istio is what the proxies of a workload need that Istio programs. Not run on Istio's own proxy yet: the EnvoyFilter is checked
// against Istio's CRD, the rest on stock Envoy.
type Istio struct {
	External
	// Namespace and Selector are of the Pods; Name is that of the objects to make.
	Namespace, Name string
	Selector        map[string]string
}

// contexts are Istio's words for the sides.
var contexts = map[model.Side]string{
	"": "GATEWAY", model.SideGateway: "GATEWAY", model.SideInbound: "SIDECAR_INBOUND", model.SideOutbound: "SIDECAR_OUTBOUND",
}

// OverrideFile is the file that istio-agent has Envoy merge into its bootstrap, by the environment variable ISTIO_BOOTSTRAP_OVERRIDE.
const OverrideFile = "/etc/istio/custom-bootstrap/custom_bootstrap.json"

// YAML prints the objects to apply, and in comments what the Deployment of the proxies needs.
func (x Istio) YAML() ([]byte, error) {
	if len(x.Selector) == 0 || x.Namespace == "" || x.Name == "" {
		return nil, fmt.Errorf("bootstrap: Namespace, Name and Selector must be set; an EnvoyFilter without a selector would reach every proxy of its namespace")
	}
	if x.ADS {
		return nil, fmt.Errorf("bootstrap: ADS is set, but the ADS stream of these proxies is Istio's; leave it out")
	}
	if x.TokenFile == "" {
		return nil, fmt.Errorf("bootstrap: TokenFile is empty; proxies in Pods are known by their tokens alone")
	}
	p, err := x.Pieces()
	if err != nil {
		return nil, err
	}
	override, err := x.override(p)
	if err != nil {
		return nil, err
	}
	filter, err := x.envoyFilter(p)
	if err != nil {
		return nil, err
	}
	w := &printer{}
	w.comment("For proxies that Istio programs (Envoy 1.39 or later). Not run on Istio's own proxy yet: the EnvoyFilter was checked against\n" +
		"Istio's CRD, the slots on stock Envoy. Apply the ConfigMap and patch the Deployment first; apply the EnvoyFilter when all\n" +
		"proxies were restarted: it names clusters that the bootstrap brings.")
	w.yaml(override, nil)
	w.out.WriteString("---\n")
	w.comment("%s", x.away())
	w.yaml(filter, nil)
	w.out.WriteString("---\n")
	w.comment("What the Deployment needs; it is no object to apply. kubectl patch deployment NAME -n %s --patch-file FILE, or the same for a\n"+
		"Gateway under the key deployment of the ConfigMap that its infrastructure.parametersRef names:\n", x.Namespace)
	patch := &printer{}
	patch.yaml(x.patch(), nil)
	w.comment("%s", patch.out.String())
	return w.out.Bytes(), w.err
}

func (x Istio) meta(kind, version string) map[string]any {
	return map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{"name": x.Name, "namespace": x.Namespace}}
}

// override is the ConfigMap with what is merged into the bootstrap: what an EnvoyFilter cannot bring in time, because the first
// listeners name it.
func (x Istio) override(p *Pieces) (map[string]any, error) {
	clusters, err := plainList(p.Clusters)
	if err != nil {
		return nil, err
	}
	listener, err := plain(p.Prefetch)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(map[string]any{"static_resources": map[string]any{"clusters": clusters, "listeners": []any{listener}}}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	out := x.meta("ConfigMap", "v1")
	out["data"] = map[string]any{path.Base(OverrideFile): string(text)}
	return out, nil
}

// envoyFilter puts the slots into Istio's listeners.
func (x Istio) envoyFilter(p *Pieces) (map[string]any, error) {
	var patches []any
	for _, s := range p.Slots {
		for i, f := range s.HTTP {
			value, err := plain(f)
			if err != nil {
				return nil, err
			}
			patches = append(patches, httpPatch(s.Scope, model.Phases[i], value))
		}
		for _, f := range slices.Backward(s.Network) { // each goes first, so the first one comes last
			value, err := plain(f)
			if err != nil {
				return nil, err
			}
			patches = append(patches, networkPatch(s.Scope, value))
		}
	}
	out := x.meta("EnvoyFilter", "networking.istio.io/v1alpha3")
	out["spec"] = map[string]any{"workloadSelector": map[string]any{"labels": x.Selector}, "configPatches": patches}
	return out, nil
}

// httpPatch puts AUTHN before everything, the other phases before the router. Where Istio has filters of its own for
// authentication and authorization, they may be missing, and a patch beside a filter that is missing does nothing.
func httpPatch(s model.Scope, phase model.Phase, value any) map[string]any {
	manager := map[string]any{"name": "envoy.filters.network.http_connection_manager"}
	operation := "INSERT_FIRST"
	if phase != model.PhaseAuthn {
		operation = "INSERT_BEFORE"
		manager["subFilter"] = map[string]any{"name": "envoy.filters.http.router"}
	}
	return onePatch("HTTP_FILTER", s, map[string]any{"filter": manager}, operation, value)
}

func networkPatch(s model.Scope, value any) map[string]any {
	return onePatch("NETWORK_FILTER", s, nil, "INSERT_FIRST", value)
}

func onePatch(to string, s model.Scope, chain map[string]any, operation string, value any) map[string]any {
	listener := map[string]any{}
	if s.Port != 0 {
		listener["portNumber"] = s.Port
	}
	if chain != nil {
		listener["filterChain"] = chain
	}
	return map[string]any{
		"applyTo": to,
		"match":   map[string]any{"context": contexts[s.Side], "listener": listener},
		"patch":   map[string]any{"operation": operation, "value": value},
	}
}

// patch is what the Deployment's Pods need: to say that Istio programs them, the bootstrap, and the token.
func (x Istio) patch() map[string]any {
	mount := func(name, at string) map[string]any {
		return map[string]any{"name": name, "mountPath": at, "readOnly": true}
	}
	container := map[string]any{
		"name": "istio-proxy",
		"env":  []any{map[string]any{"name": "ISTIO_BOOTSTRAP_OVERRIDE", "value": OverrideFile}},
		"volumeMounts": []any{
			mount("wasmpoint-bootstrap", path.Dir(OverrideFile)), mount("wasmpoint-token", path.Dir(x.TokenFile)),
		},
	}
	volumes := []any{
		map[string]any{"name": "wasmpoint-bootstrap", "configMap": map[string]any{"name": x.Name}},
		map[string]any{"name": "wasmpoint-token", "projected": map[string]any{"sources": []any{
			map[string]any{"serviceAccountToken": map[string]any{"audience": TokenAudience, "path": path.Base(x.TokenFile)}},
		}}},
	}
	template := map[string]any{"spec": map[string]any{"containers": []any{container}, "volumes": volumes}}
	if x.Scopes[0].Side != "" {
		template["metadata"] = map[string]any{"labels": map[string]string{v1alpha1.LabelProxy: v1alpha1.ProxyIstio}}
	}
	return map[string]any{"spec": map[string]any{"template": template}}
}

// ParseSelector reads KEY=VALUE,KEY=VALUE.
func ParseSelector(text string) (map[string]string, error) {
	s, err := metav1.ParseToLabelSelector(text)
	if err != nil || len(s.MatchExpressions) > 0 || len(s.MatchLabels) == 0 {
		return nil, fmt.Errorf("selector %q: give KEY=VALUE, several with commas in between, such as istio=ingressgateway", text)
	}
	return s.MatchLabels, nil
}

// PodsOf are the labels of the Pods of a Gateway.
func PodsOf(gateway types.NamespacedName) map[string]string {
	return map[string]string{v1alpha1.LabelGatewayName: gateway.Name}
}
