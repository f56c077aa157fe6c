package node

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/wasmpoint/wasmpoint/conformance/node/sandbox"
	"github.com/wasmpoint/wasmpoint/conformance/node/volumes"
)

// process says what to start.
func (c *container) process(ctx context.Context, image Image) (sandbox.Spec, error) {
	pod := c.pod.current()
	env, err := c.pod.node.environment(ctx, pod, c.spec)
	if err != nil {
		return sandbox.Spec{}, err
	}
	s := sandbox.Spec{
		Root: filepath.Join(c.pod.dir(), "root", c.spec.Name), Env: env, Command: image.command(c.spec, env), Dir: c.spec.WorkingDir,
		Hostname: pod.Name, Files: c.pod.files(), Mounts: []sandbox.Mount{{From: image.Binary, At: image.At, ReadOnly: true}},
	}
	if err := security(pod, c.spec, image, &s); err != nil {
		return s, err
	}
	for _, m := range c.spec.VolumeMounts {
		from := c.pod.volume(m.Name)
		if m.SubPath != "" || m.SubPathExpr != "" {
			from = filepath.Join(from, m.SubPath, expand(m.SubPathExpr, env))
			if _, err := os.Stat(from); err != nil {
				if err := os.MkdirAll(from, 0o777); err != nil {
					return s, err
				}
			}
		}
		s.Mounts = append(s.Mounts, sandbox.Mount{From: from, At: m.MountPath, ReadOnly: m.ReadOnly || c.pod.generated(m.Name)})
	}
	return s, nil
}

// security fills in what the security contexts of a container and its Pod say; the container's word counts first.
func security(pod *corev1.Pod, c *corev1.Container, image Image, s *sandbox.Spec) error {
	p, own := pod.Spec.SecurityContext, c.SecurityContext
	if p == nil {
		p = &corev1.PodSecurityContext{}
	}
	if own == nil {
		own = &corev1.SecurityContext{}
	}
	s.User = image.User
	if user := cmp.Or(own.RunAsUser, p.RunAsUser); user != nil {
		s.User = uint32(*user)
	}
	if group := cmp.Or(own.RunAsGroup, p.RunAsGroup); group != nil {
		s.Group = uint32(*group)
	}
	for _, g := range p.SupplementalGroups {
		s.Groups = append(s.Groups, uint32(g))
	}
	if p.FSGroup != nil {
		s.Groups = append(s.Groups, uint32(*p.FSGroup))
	}
	if root := cmp.Or(own.RunAsNonRoot, p.RunAsNonRoot); root != nil && *root && s.User == 0 {
		return errors.New("container has runAsNonRoot and image will run as root")
	}
	s.ReadOnlyRoot = own.ReadOnlyRootFilesystem != nil && *own.ReadOnlyRootFilesystem
	s.NoNewPrivileges = own.AllowPrivilegeEscalation != nil && !*own.AllowPrivilegeEscalation
	s.DropCapabilities = own.Capabilities != nil && slices.Contains(own.Capabilities.Drop, "ALL")
	return nil
}

// owner is who owns the files of a Pod's volumes.
func (o *Options) owner(pod *corev1.Pod) volumes.Owner {
	out := volumes.Owner{User: -1, Group: -1}
	if s := pod.Spec.SecurityContext; s != nil && s.FSGroup != nil {
		out.Group = int(*s.FSGroup)
	}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		image, _ := o.image(c.Image)
		var s sandbox.Spec
		_ = security(pod, c, image, &s) // its refusal comes when the container is started
		if i > 0 && int(s.User) != out.User {
			out.User = -1
			break
		}
		out.User = int(s.User)
	}
	return out
}

// sysctls are those that the Pod asks for.
func sysctls(spec *corev1.PodSpec) map[string]string {
	out := map[string]string{}
	if s := spec.SecurityContext; s != nil {
		for _, c := range s.Sysctls {
			out[c.Name] = c.Value
		}
	}
	return out
}
