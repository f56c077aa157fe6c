//go:build faults

package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/load"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

// scene is a namespace with Gateway gw, which answers everything with a redirect, and WasmPlugin guard, which answers 401
// to who does not know the password.
type scene struct {
	*world
	namespace, address string
	gateway            types.NamespacedName
}

const (
	denied = http.StatusUnauthorized
	passed = http.StatusFound
)

// scene makes the namespace and the Gateway.
func (w *world) scene(name string) *scene {
	w.t.Helper()
	s := &scene{world: w, namespace: name, address: free(w.t), gateway: types.NamespacedName{Namespace: name, Name: "gw"}}
	s.ApplyYAML(fmt.Appendf(nil, `
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: all, namespace: %[1]s}
spec:
  parentRefs: [{name: gw}]
  rules:
  - filters: [{type: RequestRedirect, requestRedirect: {hostname: passed.example, statusCode: 302}}]
`, name))
	s.createGateway()
	return s
}

func (s *scene) createGateway() {
	s.t.Helper()
	s.ApplyYAML(fmt.Appendf(nil, `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: %s, annotations: {wasmpoint.dev/listen-addresses: %s}}
spec:
  gatewayClassName: wasmpoint
  listeners: [{name: http, port: 8080, protocol: HTTP}]
`, s.namespace, s.address))
}

// guardYAML is the plugin, with further lines of its spec.
func (s *scene) guardYAML(url, password, more string) string {
	return fmt.Sprintf(`
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: guard, namespace: %s}
spec:
  url: %s
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gw}]
  pluginConfig:
    basic_auth_rules:
    - {prefix: /, request_methods: [GET], credentials: ["ok:%s"]}
%s`, s.namespace, url, password, more)
}

// guard creates or changes the plugin.
func (s *scene) guard(password string) {
	s.t.Helper()
	s.ApplyYAML([]byte(s.guardYAML(s.basicAuth(), password, "")))
}

// ask asks the Gateway with a password, "" without; 0 means that nobody answered.
func (s *scene) ask(password string) int {
	r, err := s.request(password)
	if err != nil {
		return 0
	}
	hc := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: sameHost}
	response, err := hc.Do(r)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func sameHost(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (s *scene) request(password string) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodGet, "http://"+s.address+":8080/", nil)
	if err == nil && password != "" {
		r.SetBasicAuth("ok", password)
	}
	return r, err
}

// becomes waits until the Gateway answers a password so.
func (s *scene) becomes(password string, want int) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("Gateway %s answers %d to %q", s.gateway, want, password), func() (bool, string) {
		got := s.ask(password)
		return got == want, fmt.Sprint(got)
	})
}

// guarded waits until exactly this password is let in.
func (s *scene) guarded(password string) {
	s.t.Helper()
	s.becomes(password, passed)
	s.becomes("", denied)
}

// load asks 50 times a second, with the password and without, until the check of zeroFailures.
func (s *scene) load(password string) *load.Load {
	var n atomic.Int64
	l := load.Start(load.Config{
		Rate: 50,
		Request: func() (*http.Request, error) {
			if n.Add(1)%2 == 0 {
				return s.request("")
			}
			return s.request(password)
		},
		Check: func(r *http.Response) error {
			_, _, with := r.Request.BasicAuth()
			if want := map[bool]int{true: passed, false: denied}[with]; r.StatusCode != want {
				return fmt.Errorf("status %d with password %t", r.StatusCode, with)
			}
			return nil
		},
	})
	s.t.Cleanup(func() { l.Stop() })
	return l
}

// zeroFailures ends a load, when it has sent enough to say something.
func zeroFailures(t *testing.T, l *load.Load) {
	t.Helper()
	testbed.Eventually(t, soon, "100 requests are sent", func() (bool, string) { return l.Report().Sent >= 100, l.Report().String() })
	r := l.Stop()
	t.Log(r)
	if r.Failed > 0 || r.OK < 50 {
		t.Errorf("requests failed, or there were too few: %s", r)
	}
}

// status waits until the plugin's status is so.
func (s *scene) status(what string, condition func(*extv1.WasmPlugin) bool) *extv1.WasmPlugin {
	s.t.Helper()
	p := &extv1.WasmPlugin{}
	s.wait(time.Minute, "WasmPlugin "+s.namespace+"/guard: "+what, func() (bool, string) {
		p = &extv1.WasmPlugin{}
		if err := s.Client().Get(context.Background(), s.key(), p); err != nil {
			return false, err.Error()
		}
		text, err := json.Marshal(p.Status)
		return condition(p), fmt.Sprintf("generation %d, %s %v", p.Generation, text, err)
	})
	return p
}

// programmed waits until the status says of the current generation that it runs.
func (s *scene) programmed() *extv1.WasmPlugin {
	s.t.Helper()
	return s.status("is programmed", is("Programmed", "True"))
}

func (s *scene) key() client.ObjectKey {
	return client.ObjectKey{Namespace: s.namespace, Name: "guard"}
}

// remove deletes an object of the namespace and waits until it is gone.
func (s *scene) remove(o client.Object, name string) {
	s.t.Helper()
	o.SetNamespace(s.namespace)
	o.SetName(name)
	if err := s.Client().Delete(context.Background(), o); err != nil {
		s.t.Fatal(err)
	}
	s.eventually(fmt.Sprintf("%T %s is gone", o, name), func() (bool, string) {
		err := s.Client().Get(context.Background(), client.ObjectKeyFromObject(o), o)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}

func (s *scene) removeGuard() {
	s.t.Helper()
	s.remove(&extv1.WasmPlugin{}, "guard")
}

func (s *scene) removeGateway() {
	s.t.Helper()
	s.remove(&gatewayv1.Gateway{}, "gw")
}

// complaints are the warnings and errors in what a log got since a length.
func complaints(l *testbed.Text, since int) []string {
	var out []string
	for line := range strings.SplitSeq(l.String()[since:], "\n") {
		if f := strings.Fields(line); len(f) > 1 && (f[1] == "WARN" || f[1] == "ERROR") {
			out = append(out, line)
		}
	}
	return out
}

// try applies one object, and gives the refusal.
func (s *scene) try(text string) error {
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		return err
	}
	return s.TryApply(u)
}

// whenServed applies an object of a kind whose CRD was just installed.
func (s *scene) whenServed(text string) {
	s.t.Helper()
	s.eventually("the object is taken", func() (bool, string) {
		err := s.try(text)
		return err == nil, fmt.Sprint(err)
	})
}
