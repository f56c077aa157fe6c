package node

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

// Image says what runs in place of container images.
type Image struct {
	// Match is a part of the names of these images.
	Match string
	// Binary is the program on this machine, At its path in the container.
	Binary, At string
	// Args are the image's own.
	Args []string
	// User is the one that the image runs as.
	User uint32
	// Shell is for images whose entrypoint is a script that takes the program's name, too, before its arguments.
	Shell func(image string) bool
}

// Envoy stands for Envoy's official images, the distroless ones too.
func Envoy(t testing.TB) Image {
	return Image{
		Match: "envoyproxy/envoy", Binary: testbed.EnvoyPath(t), At: "/usr/local/bin/envoy",
		Args: []string{"-c", "/etc/envoy/envoy.yaml"}, User: 101,
		Shell: func(image string) bool { return !strings.Contains(image, "distroless") },
	}
}

// image finds what stands for a container's image.
func (o *Options) image(name string) (Image, bool) {
	for _, i := range o.Images {
		if strings.Contains(name, i.Match) {
			return i, true
		}
	}
	return Image{}, false
}

// command is what a container runs.
func (i Image) command(c *corev1.Container, env []string) []string {
	if len(c.Command) > 0 {
		return expandAll(append(append([]string{}, c.Command...), c.Args...), env)
	}
	args := i.Args
	if len(c.Args) > 0 {
		args = expandAll(c.Args, env)
	}
	if len(args) > 0 && i.Shell != nil && i.Shell(c.Image) && !strings.HasPrefix(args[0], "-") {
		return args // the script runs whatever it is given
	}
	return append([]string{i.At}, args...)
}
