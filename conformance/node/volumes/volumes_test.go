package volumes

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

var nobody = Owner{User: -1, Group: -1}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err.Error()
	}
	return string(content)
}

func TestFilesChangeTogetherBehindOneLink(t *testing.T) {
	dir := t.TempDir()
	write := func(p Payload) bool {
		t.Helper()
		changed, err := Write(dir, p, nobody)
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	first := Payload{"a": {Data: []byte("1"), Mode: 0o644}, "deep/b": {Data: []byte("2"), Mode: 0o600}}
	if !write(first) || write(first) {
		t.Error("a payload is written once")
	}
	link, err := os.Readlink(filepath.Join(dir, "a"))
	if err != nil || link != "..data/a" {
		t.Errorf("a is a link to %q, %v", link, err)
	}
	if a, b := read(t, dir, "a"), read(t, dir, "deep/b"); a != "1" || b != "2" {
		t.Errorf("%q and %q", a, b)
	}
	if info, err := os.Stat(filepath.Join(dir, "deep/b")); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if !write(Payload{"a": {Data: []byte("3"), Mode: 0o644}, "c": {Data: []byte("4"), Mode: 0o644}}) {
		t.Error("a change is no change")
	}
	if a, c := read(t, dir, "a"), read(t, dir, "c"); a != "3" || c != "4" {
		t.Errorf("%q and %q", a, c)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 { // a, c, ..data and what it leads to
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

func TestASecretFileIsItsReadersAlone(t *testing.T) {
	for want, owner := range map[os.FileMode]Owner{0o600: {User: os.Getuid(), Group: -1}, 0o640: {User: -1, Group: os.Getgid()}, 0o444: nobody} {
		dir := t.TempDir()
		if _, err := Write(dir, Payload{"token": {Data: []byte("t"), Mode: 0o444, Secret: true}}, owner); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(dir, "token")); err != nil || info.Mode() != want {
			t.Errorf("%+v: mode %v, %v; want %v", owner, info.Mode(), err, want)
		}
	}
}

func TestFieldsAreThoseOfThePod(t *testing.T) {
	pod := &corev1.Pod{}
	pod.Name, pod.Namespace, pod.UID = "p", "n", "u"
	pod.Labels = map[string]string{"b": "2", "a/x": "1"}
	pod.Spec.ServiceAccountName = "s"
	pod.Status.PodIP = "10.0.0.1"
	for path, want := range map[string]string{
		"metadata.name": "p", "metadata.namespace": "n", "metadata.uid": "u", "metadata.labels['a/x']": "1",
		"metadata.labels": "a/x=\"1\"\nb=\"2\"\n", "spec.serviceAccountName": "s", "status.podIP": "10.0.0.1",
	} {
		if got, err := Field(pod, path); err != nil || got != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if _, err := Field(pod, "spec.nothing"); err == nil {
		t.Error("an unknown field is no error")
	}
}

func TestResourcesAreRoundedUpToTheDivisor(t *testing.T) {
	pod := &corev1.Pod{}
	pod.Spec.Containers = []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1500m"), corev1.ResourceMemory: resource.MustParse("100Mi"),
	}}}}
	for _, c := range []struct{ field, divisor, want string }{
		{"limits.cpu", "1", "2"}, {"limits.cpu", "1m", "1500"}, {"limits.memory", "1Mi", "100"}, {"limits.memory", "0", "104857600"},
	} {
		got, err := Resource(pod, "c", &corev1.ResourceFieldSelector{Resource: c.field, Divisor: resource.MustParse(c.divisor)})
		if err != nil || got != c.want {
			t.Errorf("%s / %s: %s, %v; want %s", c.field, c.divisor, got, err, c.want)
		}
	}
}
