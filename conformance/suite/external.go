package suite

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// External is an Envoy whose bootstrap somebody wrote by hand, in a Pod of the test's namespace.
type External struct {
	w *World
	// Name is the Pod's.
	Name   string
	pod    *corev1.Pod
	listen map[string]string
}

// ExternalGateway starts an external proxy for one port of a Gateway that somebody else programs. Requests go to Service web.
func (w *World) ExternalGateway(gateway string, port int32) *External {
	w.t.Helper()
	key := w.of(named(gateway))
	return w.external(map[string]string{ext.LabelGatewayName: key.Name}, []model.Scope{{Gateway: key, Port: port}},
		fmt.Sprintf("Gateway %s, port %d", key, port), true)
}

// ExternalProxy starts an external proxy with these labels of its Pod and one listener ("inbound 8080"). Requests go to Service
// web.
func (w *World) ExternalProxy(labels map[string]string, place string) *External {
	w.t.Helper()
	side, number, _ := strings.Cut(place, " ")
	scope := model.Scope{Side: model.Side(side)}
	if _, err := fmt.Sscan(number, &scope.Port); err != nil {
		w.t.Fatalf("place %q: %v", place, err)
	}
	return w.external(labels, []model.Scope{scope}, place, false)
}

func (w *World) external(labels map[string]string, scopes []model.Scope, place string, ads bool) *External {
	w.t.Helper()
	pod := w.pod(w.Namespace, fmt.Sprintf("external-%d", len(w.proxies)+1), labels)
	p := &Proxy{w: w, Name: pod.Name, gateway: client.ObjectKeyFromObject(pod)}
	w.proxies[pod.Name] = p
	token := filepath.Join(w.t.TempDir(), "token")
	must(w.t, os.WriteFile(token, []byte(p.Token(bootstrap.TokenAudience)), 0o600))
	printed, err := bootstrap.External{
		XDS: xdsAddress, Modules: modulesAddress, TLS: &bootstrap.TLS{CA: w.ca, Name: pki.ServerName(w.systemNamespace())},
		TokenFile: token, Scopes: scopes, HTTP: true, ADS: ads,
	}.YAML()
	must(w.t, err)
	backend := w.backends[w.of(named("web"))]
	if backend == "" {
		w.t.Fatal("Service web is not there; apply base/web.yaml")
	}
	address := w.address()
	e := &External{w: w, Name: pod.Name, pod: pod, listen: map[string]string{place: net.JoinHostPort(address, "8080")}}
	admin := strings.Replace(address, "10.", "127.", 1) + ":15000"
	raw, err := testbed.HandWritten{ID: pod.Name, Printed: printed, Admin: admin, Listen: e.listen, Backend: net.JoinHostPort(backend, "8080")}.JSON()
	must(w.t, err)
	envoy := testbed.StartEnvoy(w.t, raw)
	hc := &http.Client{Timeout: w.Timeouts.Request}
	eventually(w.t, w.Timeouts.Ready, "external proxy "+pod.Name+" is ready", func() (bool, string) {
		if !envoy.Running() {
			w.t.Fatalf("external proxy %s ended", pod.Name)
		}
		code, _, err := testbed.Get(hc, "http://"+admin+"/ready")
		return code == http.StatusOK, fmt.Sprint(code, " ", err)
	})
	return e
}

// Address is where the proxy's listener is.
func (e *External) Address() string {
	for _, address := range e.listen {
		return address
	}
	return ""
}

// Label changes a label of the Pod.
func (e *External) Label(key, value string) {
	e.w.t.Helper()
	must(e.w.t, e.w.client.Patch(context.Background(), e.pod, client.RawPatch("application/merge-patch+json",
		fmt.Appendf(nil, `{"metadata": {"labels": {%q: %q}}}`, key, value))))
}
