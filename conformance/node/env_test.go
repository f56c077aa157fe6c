package node

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestVariablesAreExpandedAsKubernetesDoes(t *testing.T) {
	env := []string{"A=1", "B=2", "A=3"}
	for text, want := range map[string]string{
		"$(A)": "3", "x$(B)y$(A)": "x2y3", "$$(A)": "$(A)", "$(C)": "$(C)", "$A": "$A", "$(A": "$(A", "100$": "100$", "$$$(B)": "$2", "": "",
	} {
		if got := expand(text, env); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestTheOfficialImagesTakeTheirArgumentsDifferently(t *testing.T) {
	image := Envoy(t)
	for _, c := range []struct {
		image         string
		command, args []string
		want          []string
	}{
		{"envoyproxy/envoy:v1", nil, nil, []string{"/usr/local/bin/envoy", "-c", "/etc/envoy/envoy.yaml"}},
		{"envoyproxy/envoy:v1", nil, []string{"-c", "$(F)"}, []string{"/usr/local/bin/envoy", "-c", "f"}},
		{"envoyproxy/envoy:v1", nil, []string{"envoy", "-c"}, []string{"envoy", "-c"}},
		{"envoyproxy/envoy:distroless-v1", nil, []string{"envoy", "-c"}, []string{"/usr/local/bin/envoy", "envoy", "-c"}},
		{"envoyproxy/envoy:v1", []string{"sh", "-c"}, []string{"true"}, []string{"sh", "-c", "true"}},
	} {
		got := image.command(&corev1.Container{Image: c.image, Command: c.command, Args: c.args}, []string{"F=f"})
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestAPodIsWhatItsContainersAre(t *testing.T) {
	waiting := corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}}
	running := corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	well := corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}
	badly := corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}}
	crashing := waiting
	crashing.LastTerminationState = badly.State
	for _, c := range []struct {
		all  []corev1.ContainerStatus
		done bool
		want corev1.PodPhase
	}{
		{[]corev1.ContainerStatus{waiting, running}, false, corev1.PodPending},
		{[]corev1.ContainerStatus{crashing, running}, false, corev1.PodRunning},
		{[]corev1.ContainerStatus{badly}, false, corev1.PodRunning},
		{[]corev1.ContainerStatus{well, badly}, true, corev1.PodFailed},
		{[]corev1.ContainerStatus{well, well}, true, corev1.PodSucceeded},
	} {
		if got := phase(c.all, c.done); got != c.want {
			t.Errorf("%+v, done %t: %s, want %s", c.all, c.done, got, c.want)
		}
	}
}
