package node_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/node"
)

func TestANodeThatStopsLeavesNoProcessNoInterfaceAndNoFolder(t *testing.T) {
	c := cluster.Start(t, cluster.WithControllerManager(), cluster.WithoutAnyCRD())
	folder := t.TempDir()
	n := node.Start(t, node.Options{Config: c.Config(), Images: []node.Image{node.Envoy(t)}, Folder: folder})
	w := &world{t: t, cluster: c, node: n, folder: folder}
	w.gateway("stopping", "hello")
	pods := w.pods("stopping")
	if there := processesOf(t, folder); len(there) < len(pods) {
		t.Fatalf("the Pods' processes are %v", there)
	}
	if err := n.Stop(); err != nil {
		t.Error(err)
	}
	if left := processesOf(t, folder); len(left) != 0 {
		t.Errorf("processes run: %v", left)
	}
	if left, err := os.ReadDir(filepath.Join(folder, "pods")); err != nil || len(left) != 0 {
		t.Errorf("folders: %v, %v", left, err)
	}
	interfaces, err := net.Interfaces()
	if err != nil || len(interfaces) != 1 {
		t.Errorf("interfaces beside lo: %v, %v", interfaces, err)
	}
	if log := n.Logs(); !strings.Contains(log, pods[0].Name+"_envoy.log") {
		t.Errorf("logs: %s", log)
	}
}

// interruptedVariable makes the test below play the test that is interrupted.
const interruptedVariable = "WASMPOINT_NODE_TEST_INTERRUPTED"

func TestATestThatIsInterruptedOrKilledLeavesNoProcess(t *testing.T) {
	if os.Getenv(interruptedVariable) != "" {
		interrupted(t)
	}
	for _, signal := range []os.Signal{os.Interrupt, os.Kill} {
		temporary := t.TempDir()
		self := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
		self.Env = append(without(os.Environ(), "WASMPOINT_CONFORMANCE_NETNS"), interruptedVariable+"=1", "TMPDIR="+temporary)
		out, err := self.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := self.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = self.Process.Kill() })
		lines := bufio.NewScanner(out)
		for lines.Scan() && lines.Text() != ready {
			continue
		}
		if err := lines.Err(); err != nil || lines.Text() != ready {
			t.Fatalf("the test that should be interrupted started nothing: %v", err)
		}
		if left := processesOf(t, temporary); len(left) == 0 {
			t.Fatal("no process of it is found")
		}
		if err := self.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_ = self.Wait() // interrupted
		w := &world{t: t}
		w.eventually("no process of it is left", func() (bool, string) {
			left := processesOf(t, temporary)
			return len(left) == 0, fmt.Sprint(left)
		})
		if left, err := os.ReadDir(temporary); err != nil || signal == os.Interrupt && len(left) != 0 {
			t.Errorf("after %s, its temporary folder has %v, %v", signal, left, err)
		}
	}
}

// sleeper is a Pod that does nothing for long.
const sleeper = `
apiVersion: v1
kind: Pod
metadata: {name: sleeper, namespace: default}
spec: {containers: [{name: c, image: docker.io/envoyproxy/envoy:v1.40.0, command: [sleep, "1000"]}]}
`

// ready is what the test that is to be interrupted prints.
const ready = "the sleeper sleeps"

func interrupted(t *testing.T) {
	c := cluster.Start(t, cluster.WithoutAnyCRD())
	node.Start(t, node.Options{Config: c.Config(), Images: []node.Image{node.Envoy(t)}})
	c.ApplyYAML([]byte(sleeper))
	w := &world{t: t, cluster: c}
	w.eventually("the Pod runs", func() (bool, string) {
		s := w.pod("default", "sleeper").Status
		return s.Phase == corev1.PodRunning, fmt.Sprintf("%+v", s)
	})
	fmt.Println(ready)
	select {} // until interrupted
}

// processesOf are those whose environment or root names a folder: all that were started with it.
func processesOf(t *testing.T, folder string) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, dir := range all {
		root, _ := os.Readlink(filepath.Join(dir, "root"))       // a process that has just ended has none
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline")) // likewise
		environ, _ := os.ReadFile(filepath.Join(dir, "environ")) // likewise
		if strings.Contains(root+string(environ), folder) {
			out = append(out, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return out
}

func without(env []string, name string) []string {
	var out []string
	for _, v := range env {
		if !strings.HasPrefix(v, name+"=") {
			out = append(out, v)
		}
	}
	return out
}
