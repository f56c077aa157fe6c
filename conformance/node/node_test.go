package node_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/conformance/load"
	"github.com/wasmpoint/wasmpoint/conformance/node"
)

func TestADeploymentBecomesRealProxies(t *testing.T) {
	// Tokens live for ten minutes at least, so the tests replace them early.
	w := newWorld(t, node.Options{RenewTokensAt: 0.004, BackOff: time.Second})
	for _, behaviour := range []struct {
		name string
		test func(w *world, namespace string)
	}{
		{"two Pods that listen on the same port answer at their addresses and through their Service", answersEverywhere},
		{"a rolling update under load fails no request", rollsUnderLoad},
		{"a Deployment is scaled up and down", scales},
		{"a proxy that crashes is started again and counted", restarts},
		{"a deleted Deployment leaves nothing behind", leavesNothing},
		{"the token of a Pod is bound to it and replaced in time", tokens},
		{"a Pod that cannot run says why", saysWhy},
		{"a Pod reaches this program, Services and the API server by name", reaches},
	} {
		t.Run(behaviour.name, func(t *testing.T) {
			t.Parallel()
			first := strings.ToLower(strings.Join(strings.Fields(behaviour.name)[:4], "-"))
			behaviour.test(w.in(t), first)
		})
	}
}

func answersEverywhere(w *world, namespace string) {
	w.gateway(namespace, "hello")
	seen := map[string]bool{}
	for _, p := range w.pods(namespace) {
		text, pod, err := ask(p.Status.PodIP + ":80")
		if err != nil || text != "hello" || pod != p.Name {
			w.t.Errorf("Pod %s at %s answers %q as %s, %v", p.Name, p.Status.PodIP, text, pod, err)
		}
		seen[p.Name] = true
	}
	service := w.service(namespace)
	w.eventually("the Service leads to all Pods", func() (bool, string) {
		text, pod, err := ask(service)
		if err != nil || text != "hello" {
			w.t.Errorf("the Service answers %q, %v", text, err)
		}
		delete(seen, pod)
		return len(seen) == 0, fmt.Sprint("not to ", seen)
	})
}

func rollsUnderLoad(w *world, namespace string) {
	w.gateway(namespace, "one")
	service := w.service(namespace)
	l := load.Start(load.Config{Rate: 100, Client: fresh, Request: func() (*http.Request, error) {
		return http.NewRequest(http.MethodGet, "http://"+service+"/", nil)
	}})
	defer l.Stop()
	before := w.pods(namespace)
	w.apply(namespace, "two", "2")
	w.available(namespace, 2)
	w.eventually("the old Pods are gone", func() (bool, string) {
		now := w.pods(namespace)
		return len(now) == 2 && !slices.ContainsFunc(now, func(p corev1.Pod) bool { return p.Name == before[0].Name || p.Name == before[1].Name }), names(now)
	})
	if text, _, err := ask(service); err != nil || text != "two" {
		w.t.Errorf("the Service answers %q, %v", text, err)
	}
	r := l.Stop()
	w.t.Log(r)
	if r.Failed != 0 || r.Repeated != 0 || r.Sent < 100 {
		w.t.Errorf("%s", r)
	}
}

func scales(w *world, namespace string) {
	w.gateway(namespace, "hello")
	for _, n := range []int32{4, 1} {
		d := &appsv1.Deployment{}
		d.Namespace, d.Name = namespace, "gateway"
		patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, n)
		if err := w.cluster.Client().Patch(w.t.Context(), d, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
			w.t.Fatal(err)
		}
		w.available(namespace, n)
		w.eventually("the Pods that are too many are gone", func() (bool, string) {
			now := w.pods(namespace)
			return len(now) == int(n), names(now)
		})
		addresses := map[string]bool{}
		for _, p := range w.pods(namespace) {
			addresses[p.Status.PodIP] = true
			if _, pod, err := ask(p.Status.PodIP + ":80"); err != nil || pod != p.Name {
				w.t.Errorf("Pod %s: %s answers, %v", p.Name, pod, err)
			}
		}
		if len(addresses) != int(n) {
			w.t.Errorf("%d Pods have the addresses %v", n, addresses)
		}
	}
}

func restarts(w *world, namespace string) {
	w.gateway(namespace, "hello")
	pod := &w.pods(namespace)[0]
	var begin time.Time
	for crashes := int32(1); crashes <= 2; crashes++ {
		begin = time.Now()
		if err := syscall.Kill(pidOf(w.t, w.pod(namespace, pod.Name)), syscall.SIGSEGV); err != nil {
			w.t.Fatal(err)
		}
		w.eventually("the container runs again", func() (bool, string) {
			s := w.pod(namespace, pod.Name).Status.ContainerStatuses[0]
			return s.RestartCount == crashes && s.Ready, fmt.Sprintf("%+v", s)
		})
		end := w.pod(namespace, pod.Name).Status.ContainerStatuses[0].LastTerminationState.Terminated
		if end == nil || end.Reason != "Error" || end.ExitCode == 0 {
			w.t.Errorf("how it ended: %+v", end)
		}
	}
	if took := time.Since(begin); took < time.Second {
		w.t.Errorf("the second crash was followed by a start after %s, without a pause", took)
	}
	if _, name, err := ask(pod.Status.PodIP + ":80"); err != nil || name != pod.Name {
		w.t.Errorf("its address is answered by %s, %v", name, err)
	}
}

func leavesNothing(w *world, namespace string) {
	w.gateway(namespace, "hello")
	pods := w.pods(namespace)
	for _, p := range pods {
		if len(processesOf(w.t, string(p.UID))) == 0 {
			w.t.Fatalf("no process of %s is found", p.Name)
		}
	}
	service := w.service(namespace)
	for _, o := range []client.Object{&appsv1.Deployment{}, &corev1.Service{}} {
		o.SetNamespace(namespace)
		o.SetName("gateway")
		if err := w.cluster.Client().Delete(w.t.Context(), o, client.PropagationPolicy("Background")); err != nil {
			w.t.Fatal(err)
		}
	}
	w.eventually("no Pods", func() (bool, string) {
		now := w.pods(namespace)
		return len(now) == 0, names(now)
	})
	for _, p := range pods {
		if left := processesOf(w.t, string(p.UID)); len(left) != 0 { // by name: its number may be another's by now
			w.t.Errorf("of %s there runs %v", p.Name, left)
		}
		if entries, err := os.ReadDir(filepath.Join(w.folder, "pods", string(p.UID))); err == nil {
			w.t.Errorf("the folder of %s has %v", p.Name, entries)
		}
		if c, err := net.DialTimeout("tcp", p.Status.PodIP+":80", time.Second); err == nil {
			_ = c.Close()
			w.t.Errorf("%s is answered", p.Status.PodIP)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil || strings.Contains(string(mounts), w.folder) {
		w.t.Errorf("mounts of this program: %s, %v", mounts, err)
	}
	w.eventually("the Service's address is nobody's", func() (bool, string) {
		host, _, _ := strings.Cut(service, ":")
		addresses, err := net.InterfaceAddrs()
		return err == nil && !slices.ContainsFunc(addresses, func(a net.Addr) bool { return strings.HasPrefix(a.String(), host+"/") }), fmt.Sprint(addresses, err)
	})
}

func tokens(w *world, namespace string) {
	w.gateway(namespace, "hello")
	pod := &w.pods(namespace)[0]
	read := func() string {
		token, err := w.volume(pod, "token", "xds-token")
		if err != nil {
			w.t.Fatal(err)
		}
		return token
	}
	first := read()
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: first, Audiences: []string{"wasmpoint"}}}
	if err := w.cluster.Client().Create(w.t.Context(), review); err != nil {
		w.t.Fatal(err)
	}
	s := review.Status
	if !s.Authenticated || s.User.Username != "system:serviceaccount:"+namespace+":gateway" ||
		!slices.Equal(s.User.Extra["authentication.kubernetes.io/pod-name"], []string{pod.Name}) ||
		!slices.Equal(s.User.Extra["authentication.kubernetes.io/pod-uid"], []string{string(pod.UID)}) {
		w.t.Errorf("the API server says of the token: %+v", s)
	}
	w.eventually("another token is there", func() (bool, string) { return read() != first, "the first token is there" })
	if labels, err := w.volume(pod, "token", "labels"); err != nil || !strings.Contains(labels, `app="gateway"`) {
		w.t.Errorf("labels: %q, %v", labels, err)
	}
	if ca, err := w.volume(pod, "token", "ca.crt"); err != nil || !strings.Contains(ca, "CERTIFICATE") {
		w.t.Errorf("ca.crt: %q, %v", ca, err)
	}
	w.apply(namespace, "changed", "1")
	w.eventually("a change of the ConfigMap reaches the volume", func() (bool, string) {
		text, err := w.volume(pod, "bootstrap", "envoy.yaml")
		return err == nil && strings.Contains(text, "changed"), fmt.Sprint(err)
	})
}

const cannotRun = `
apiVersion: v1
kind: Pod
metadata: {name: unknown-image, namespace: NAMESPACE}
spec: {containers: [{name: c, image: docker.io/library/nginx:1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: root, namespace: NAMESPACE}
spec: {containers: [{name: c, image: docker.io/envoyproxy/envoy:v1.40.0, securityContext: {runAsNonRoot: true, runAsUser: 0}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: no-volume, namespace: NAMESPACE}
spec:
  containers: [{name: c, image: docker.io/envoyproxy/envoy:v1.40.0, volumeMounts: [{name: v, mountPath: /v}]}]
  volumes: [{name: v, configMap: {name: missing}}]
---
apiVersion: v1
kind: Pod
metadata: {name: host-path, namespace: NAMESPACE}
spec:
  containers: [{name: c, image: docker.io/envoyproxy/envoy:v1.40.0}]
  volumes: [{name: v, hostPath: {path: /}}]
`

func saysWhy(w *world, namespace string) {
	n := &corev1.Namespace{}
	n.Name = namespace
	if err := w.cluster.Client().Create(w.t.Context(), n); err != nil {
		w.t.Fatal(err)
	}
	w.eventually("the default ServiceAccount", func() (bool, string) {
		err := w.cluster.Client().Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: "default"}, &corev1.ServiceAccount{})
		return err == nil, fmt.Sprint(err)
	})
	w.cluster.ApplyYAML(fill(cannotRun, "NAMESPACE", namespace))
	for pod, want := range map[string]corev1.ContainerStateWaiting{
		"unknown-image": {Reason: "ErrImagePull", Message: `no binary stands for image "docker.io/library/nginx:1"; the stand-in has *envoyproxy/envoy*`},
		"root":          {Reason: "CreateContainerConfigError", Message: "container has runAsNonRoot and image will run as root"},
		"no-volume":     {Reason: "ContainerCreating", Message: `volume v: configmaps "missing" not found`},
		"host-path":     {Reason: "CreateContainerConfigError", Message: "volume v has no stand-in on this node"},
	} {
		w.eventually(pod+" says why", func() (bool, string) {
			s := w.pod(namespace, pod).Status
			return s.Phase == corev1.PodPending && len(s.ContainerStatuses) == 1 && s.ContainerStatuses[0].State.Waiting != nil &&
				*s.ContainerStatuses[0].State.Waiting == want, fmt.Sprintf("%+v", s)
		})
	}
	c := &corev1.ConfigMap{}
	c.Namespace, c.Name = namespace, "missing"
	if err := w.cluster.Client().Create(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
	w.eventually("no-volume goes on when its ConfigMap is there", func() (bool, string) {
		s := w.pod(namespace, "no-volume").Status
		return s.Phase == corev1.PodRunning, fmt.Sprintf("%+v", s)
	})
}

// reacher is a Pod that asks by hand, with bash's own way to open connections, which needs no other program.
const reacher = `
apiVersion: v1
kind: Pod
metadata: {name: reacher, namespace: NAMESPACE}
spec:
  restartPolicy: Never
  serviceAccountName: gateway
  containers:
  - name: c
    image: docker.io/envoyproxy/envoy:v1.40.0
    command: [bash, -ec]
    args:
    - |
      ask() { exec 3<>/dev/tcp/$1/$2; printf 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&3; grep -o "$3" <&3 | head -1; }
      ask gateway 8080 hello
      ask gateway.NAMESPACE.svc 8080 hello
      ask $(KUBERNETES_SERVICE_HOST) 443 'HTTP request to an HTTPS server'
      ask PROGRAM here
      hostname
      test "$(cat /var/run/secrets/kubernetes.io/serviceaccount/namespace)" = NAMESPACE
      ! touch /var/run/secrets/kubernetes.io/serviceaccount/x 2>/dev/null
      echo all
`

func reaches(w *world, namespace string) {
	w.gateway(namespace, "hello")
	l, err := net.Listen("tcp", "10.244.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(a http.ResponseWriter, _ *http.Request) { fmt.Fprint(a, "here") })}
	go func() { _ = server.Serve(l) }()
	w.t.Cleanup(func() { _ = server.Close() })
	host, port, _ := net.SplitHostPort(l.Addr().String())
	w.cluster.ApplyYAML(fill(reacher, "NAMESPACE", namespace, "PROGRAM", host+" "+port))
	w.eventually("the Pod has done all", func() (bool, string) {
		p := w.pod(namespace, "reacher")
		return p.Status.Phase == corev1.PodSucceeded, fmt.Sprintf("%+v\n%s", p.Status, w.node.Log(client.ObjectKeyFromObject(p), "c"))
	})
	log := w.node.Log(client.ObjectKey{Namespace: namespace, Name: "reacher"}, "c")
	if want := "hello\nhello\nHTTP request to an HTTPS server\nhere\nreacher\nall\n"; log != want {
		w.t.Errorf("it prints %q, want %q", log, want)
	}
}

// pidOf reads the process of a Pod's only container from its id.
func pidOf(t *testing.T, p *corev1.Pod) int {
	t.Helper()
	var pid int
	if _, err := fmt.Sscanf(p.Status.ContainerStatuses[0].ContainerID, "process://%d-", &pid); err != nil {
		t.Fatalf("container id %q: %v", p.Status.ContainerStatuses[0].ContainerID, err)
	}
	return pid
}

func names(pods []corev1.Pod) string {
	var b strings.Builder
	for _, p := range pods {
		fmt.Fprintf(&b, "%s %s; ", p.Name, p.Status.Phase)
	}
	return b.String()
}
