package suite

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
)

// Where the controller serves: its usual ports, since nobody else is in this network namespace.
const (
	xdsAddress     = "127.0.0.1:15010"
	modulesAddress = "127.0.0.1:15011"
	healthAddress  = "127.0.0.1:15021"
)

// startController runs the binary with the rights of its ServiceAccount and waits until it serves proxies.
func (s *Suite) startController(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	log, err := os.Create(s.ControllerLog)
	must(t, err)
	binary, err := filepath.Abs(s.Controller)
	must(t, err)
	cmd := exec.Command(binary, "controller",
		"--kubeconfig", s.kubeconfigFor(t, s.systemNamespace(), "wasmpoint"), "--namespace", s.systemNamespace(),
		"--root-namespace", s.rootNamespace(), "--replica", "conformance", "--data-dir", filepath.Join(dir, "data"),
		"--wait-for-module", s.Timeouts.Module.String(), "--kube-api-qps", "-1",
		fmt.Sprintf("--provisioning=%t", s.node != nil), // the Pods of another cluster could not reach this controller
		"--log-format", "text", "--log-level", "debug")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the controller ended with %v; its log is %s", err, s.ControllerLog)
			}
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			t.Errorf("the controller does not end; its log is %s", s.ControllerLog)
		}
		_ = log.Close()
	})
	hc := &http.Client{Timeout: s.Timeouts.Request}
	eventually(t, s.Timeouts.Ready, "the controller is ready", func() (bool, string) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the controller ended: %v; its log is %s", err, s.ControllerLog)
		default:
		}
		code, _, err := testbed.Get(hc, "http://"+healthAddress+"/readyz")
		return code == http.StatusOK, fmt.Sprint(code, " ", err)
	})
	var published corev1.ConfigMap
	must(t, s.client.Get(context.Background(), client.ObjectKey{Namespace: s.systemNamespace(), Name: pki.ConfigMapName}, &published))
	s.ca = []byte(published.Data["ca.crt"])
}
