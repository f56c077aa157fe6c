package controller

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// external is an Envoy with a bootstrap of the test's own, into which the printed pieces were pasted.
type external struct {
	*testbed.Envoy
	w *world
	// listen is where its listeners really listen, by place ("inbound 8080").
	listen map[string]string
}

// externalPod makes a Pod of the namespace default with these labels.
func (w *world) externalPod(name string, labels map[string]string) *corev1.Pod {
	w.t.Helper()
	w.Apply(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: account}})
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: labels},
		Spec:       corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{Name: "envoy", Image: "envoy.invalid/envoy"}}},
	}
	if err := w.Client().Create(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) tokenFile(pod *corev1.Pod) string {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(w.token(pod, bootstrap.TokenAudience)), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return file
}

// certified is how a proxy outside of the cluster shows who it is.
func (w *world) certified(uri string) *bootstrap.TLS {
	w.t.Helper()
	cert := w.clientCertificate(uri, time.Now().Add(time.Hour))
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		w.t.Fatal(err)
	}
	t := &bootstrap.TLS{CA: w.ca(), Name: pki.ServerName(namespace)}
	dir := w.t.TempDir()
	for _, f := range []struct {
		into  *string
		kind  string
		bytes []byte
	}{{&t.CertFile, "CERTIFICATE", cert.Certificate[0]}, {&t.KeyFile, "PRIVATE KEY", key}} {
		*f.into = filepath.Join(dir, strings.ReplaceAll(f.kind, " ", "-"))
		if err := os.WriteFile(*f.into, pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.bytes}), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	return t
}

// places are the scopes of an external proxy with these listeners.
func places(list ...string) (out []model.Scope) {
	for _, text := range list {
		side, number, _ := strings.Cut(text, " ")
		var port int32
		if _, err := fmt.Sscan(number, &port); err != nil {
			panic(err)
		}
		out = append(out, model.Scope{Side: model.Side(side), Port: port})
	}
	return out
}

// external starts an Envoy in a Pod, with what is printed for x.
func (r *replica) external(id, tokenFile string, x bootstrap.External) *external {
	r.w.t.Helper()
	x.XDS, x.Modules, x.TokenFile = r.config.XDS.Address, r.config.Modules.Address, tokenFile
	if x.TLS == nil {
		x.TLS = &bootstrap.TLS{CA: r.w.ca(), Name: pki.ServerName(namespace)}
	}
	printed, err := x.YAML()
	if err != nil {
		r.w.t.Fatal(err)
	}
	e := &external{w: r.w, listen: map[string]string{}}
	for _, s := range x.Scopes {
		place := fmt.Sprintf("%s %d", s.Side, s.Port)
		if s.Side == "" {
			place = fmt.Sprintf("Gateway %s, port %d", s.Gateway, s.Port)
		}
		e.listen[place] = testbed.Address(testbed.FreePort(r.w.t))
	}
	raw, err := testbed.HandWritten{ID: id, Printed: printed, Admin: testbed.Address(testbed.FreePort(r.w.t)), Listen: e.listen}.JSON()
	if err != nil {
		r.w.t.Fatal(err)
	}
	e.Envoy = testbed.StartEnvoy(r.w.t, raw)
	return e
}

// answers waits until a place answers with a status code.
func (e *external) answers(place string, want int) {
	e.w.t.Helper()
	e.w.answers(e.listen[place], want)
}

// guard is a plugin that lets nobody in without credentials; more are further lines of it.
func (w *world) guard(name, inNamespace, labels, spec string) {
	w.t.Helper()
	w.ApplyYAML(fmt.Appendf(nil, `
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: %s, namespace: %s, labels: {%s}}
spec:
  url: %s
  pluginConfig:
    basic_auth_rules: [{prefix: /, request_methods: [GET], credentials: ["ok:test"]}]
%s`, name, inNamespace, labels, w.basicAuth(), spec))
}

func (w *world) removePlugin(name string) {
	w.t.Helper()
	p := &extv1.WasmPlugin{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	if err := w.Client().Delete(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
}

func TestAHandWrittenEnvoyIsTheProxyOfAGatewayThatSomebodyElseRuns(t *testing.T) {
	w := newWorld(t)
	w.ApplyYAML([]byte(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: theirs, namespace: default}
spec:
  gatewayClassName: somebody-elses
  addresses: [{type: Hostname, value: theirs.default.svc.cluster.local}]
  listeners: [{name: http, port: 8080, protocol: HTTP}]
`))
	gateway := types.NamespacedName{Namespace: "default", Name: "theirs"}
	scopes := []model.Scope{{Gateway: gateway, Port: 8080}}
	const place = "Gateway default/theirs, port 8080"
	r := w.start("a", authenticating).ready()
	over := r.external("theirs-1", w.tokenFile(w.pod("theirs-1", "theirs")), bootstrap.External{Scopes: scopes, HTTP: true, Network: true, ADS: true})
	each := r.external("theirs-2", w.tokenFile(w.pod("theirs-2", "theirs")), bootstrap.External{Scopes: scopes, HTTP: true, Network: true})
	outside := r.external("outside-1", "", bootstrap.External{
		Scopes: scopes, HTTP: true, ADS: true, TLS: w.certified(pki.GatewayURI + gateway.String()),
	})
	over.answers(place, 200)
	each.answers(place, 200)
	outside.answers(place, 200)
	w.guard("guard", "default", "", "  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: theirs}]")
	over.answers(place, 401)
	each.answers(place, 401)
	outside.answers(place, 401)
	p := w.plugin("guard", "is programmed", is("Programmed", "True"))
	if got := message(p, "Programmed"); got != "3/3 proxies run it" {
		t.Errorf("the message is %q", got)
	}
	w.removePlugin("guard")
	over.answers(place, 200)
	each.answers(place, 200)
}

func TestASidecarGetsThePluginsOfItsPodsLabels(t *testing.T) {
	w := newWorld(t)
	w.ApplyYAML([]byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system}\n"))
	r := w.start("a", authenticating).ready()
	pod := w.externalPod("web-1", map[string]string{"app": "web", extv1.LabelProxy: extv1.ProxyExternal})
	e := r.external("web-1", w.tokenFile(pod), bootstrap.External{Scopes: places("inbound 8080", "outbound 9080", "outbound 9081"), HTTP: true})
	all := func(inbound, first, second int) {
		t.Helper()
		e.answers("inbound 8080", inbound)
		e.answers("outbound 9080", first)
		e.answers("outbound 9081", second)
	}
	all(200, 200, 200)

	w.guard("served", "default", "", "  selector: {matchLabels: {app: web}}\n  match: [{mode: SERVER}]")
	all(401, 200, 200)
	p := w.plugin("served", "is programmed", is("Programmed", "True"))
	if len(p.Status.Ancestors) != 1 || *p.Status.Ancestors[0].AncestorRef.Kind != "Namespace" || p.Status.Ancestors[0].AncestorRef.Name != "default" {
		t.Errorf("ancestors: %+v", p.Status.Ancestors)
	}
	if got := message(p, "Programmed"); got != "1/1 proxies run it" {
		t.Errorf("the message is %q", got)
	}
	w.guard("mesh", "istio-system", "", "  phase: AUTHN\n  match: [{mode: CLIENT, ports: [{number: 9081}]}]")
	all(401, 200, 401)
	w.guard("other", "default", "", "  selector: {matchLabels: {app: api}}")
	w.plugin("other", "reaches nothing", is("Accepted", "False"))

	pod.Labels["app"] = "api"
	if err := w.Client().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	all(401, 401, 401)
	w.plugin("other", "is programmed", is("Programmed", "True"))
	w.plugin("served", "reaches nothing", is("Accepted", "False"))
	w.removePlugin("other")
	all(200, 200, 401)
}

func TestWhereIstioProgramsAProxyOnlyPluginsOfOurRevisionRun(t *testing.T) {
	w := newWorld(t)
	r := w.start("a", authenticating).ready()
	for name, pod := range map[string]struct {
		labels map[string]string
		id     string
	}{
		"says-so":     {map[string]string{extv1.LabelProxy: extv1.ProxyIstio}, "router~10.0.0.1~says-so.default~default.svc.cluster.local"},
		"other-value": {map[string]string{extv1.LabelProxy: "true"}, "other-value"},
		"injected":    {map[string]string{extv1.LabelProxy: extv1.ProxyExternal, "sidecar.istio.io/inject": "true"}, "injected"},
	} {
		pod.labels["app"] = name
		e := r.external(pod.id, w.tokenFile(w.externalPod(name, pod.labels)), bootstrap.External{Scopes: places("gateway 80"), HTTP: true})
		e.answers("gateway 80", 200)
		selector := "  selector: {matchLabels: {app: " + name + "}}"
		w.guard(name, "default", "", selector)
		p := w.plugin(name, "is Istio's", is("Accepted", "False"))
		if got := message(p, "Accepted"); !strings.Contains(got, "label it istio.io/rev=wasmpoint") {
			t.Errorf("%s: the message is %q", name, got)
		}
		e.answers("gateway 80", 200)
		w.guard(name, "default", "istio.io/rev: wasmpoint", selector)
		e.answers("gateway 80", 401)
		w.plugin(name, "is programmed", is("Programmed", "True"))
	}
}

func TestWithoutAControllerAListenerIsOpenOrClosedAsChosen(t *testing.T) {
	w := newWorld(t)
	r := w.start("a", authenticating).ready()
	r.stop()
	<-r.ended
	x := bootstrap.External{Scopes: places("gateway 80"), HTTP: true, Network: true}
	closed := r.external("closed", w.tokenFile(w.externalPod("closed", map[string]string{extv1.LabelProxy: extv1.ProxyExternal})), x)
	x.Open = true
	opened := r.external("opened", w.tokenFile(w.externalPod("opened", map[string]string{extv1.LabelProxy: extv1.ProxyExternal})), x)
	opened.answers("gateway 80", 200)
	for range 3 { // it was started before the one that answers
		if code, body := get("http://" + closed.listen["gateway 80"]); code != 0 {
			t.Errorf("a closed listener answers %d %s", code, body)
		}
	}
	w.guard("guard", "default", "", "")
	r.run()
	r.ready()
	closed.answers("gateway 80", 401)
	opened.answers("gateway 80", 401)
	w.plugin("guard", "is programmed", is("Programmed", "True"))
}

// silent is a node that says nothing of whose proxy it is.
func silent(id string) *corev3.Node {
	n := fakeproxy.Node(id, bookinfo)
	n.Metadata = nil
	return n
}

func TestAnExternalProxyIsAnsweredNothingThatIsNotItsOwn(t *testing.T) {
	w := newWorld(t)
	w.ApplyYAML([]byte(gatewayYAML(free(t))))
	r := w.start("a", authenticating).ready()
	pod := w.externalPod("web-1", map[string]string{extv1.LabelProxy: extv1.ProxyExternal})
	token := w.token(pod, bootstrap.TokenAudience)
	node := silent("web-1")
	own := names.Slot(model.Scope{Side: model.SideInbound, Port: 80}, model.PhaseAuthn)
	theirs := names.Slot(model.Scope{Gateway: bookinfo, Port: 8080}, model.PhaseAuthn)
	open := r.open(token, node).served()
	open.ask(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: server.TypeExtensionConfig, ResourceNamesSubscribe: []string{theirs, names.Prefetch(bookinfo)}})
	open.ask(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: server.TypeExtensionConfig, ResourceNamesSubscribe: []string{own}})
	if response, err := open.receive(); err != nil || len(response.Resources) != 1 || response.Resources[0].Name != own {
		t.Fatalf("got %v, %v, want %s alone", response, err, own)
	}
	w.eventually("the log tells of the foreign slot", func() (bool, string) {
		return strings.Contains(w.log.String(), "proxy asks for a slot of another gateway") && strings.Contains(w.log.String(), theirs), w.log.String()
	})

	for _, c := range []struct {
		name string
		pod  *corev1.Pod
		node *corev3.Node
		text string
		code codes.Code
	}{
		{"a Gateway's proxy by its own word", pod, fakeproxy.Node("web-1", bookinfo), "is an external proxy of no Gateway", codes.PermissionDenied},
		{"Istio's proxy in a Pod that says external", pod, silent("sidecar~10.0.0.1~web-1.default~default.svc.cluster.local"),
			"every plugin would run twice", codes.PermissionDenied},
		{"a Pod without the label", w.externalPod("other-1", nil), silent("other-1"), "nor wasmpoint.dev/proxy (external or istio)", codes.Unauthenticated},
	} {
		if s := r.open(w.token(c.pod, bootstrap.TokenAudience), c.node).refused(); s.Code() != c.code || !strings.Contains(s.Message(), c.text) {
			t.Errorf("%s: %s %s, want %s %s", c.name, s.Code(), s.Message(), c.code, c.text)
		}
	}
}
