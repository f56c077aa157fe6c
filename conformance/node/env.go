package node

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wasmpoint/wasmpoint/conformance/node/volumes"
)

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment gives a container's variables: the later ones count.
func (n *Node) environment(ctx context.Context, pod *corev1.Pod, c *corev1.Container) ([]string, error) {
	env := []string{
		path, "HOSTNAME=" + pod.Name,
		"KUBERNETES_SERVICE_HOST=" + n.apiServiceIP, "KUBERNETES_SERVICE_PORT=443", "KUBERNETES_SERVICE_PORT_HTTPS=443",
	}
	for _, from := range c.EnvFrom {
		more, err := n.environmentFrom(ctx, pod.Namespace, from)
		if err != nil {
			return nil, err
		}
		env = append(env, more...)
	}
	for _, v := range c.Env {
		value := expand(v.Value, env)
		if v.ValueFrom != nil {
			var found bool
			var err error
			if value, found, err = n.variable(ctx, pod, c, v.ValueFrom); err != nil {
				return nil, fmt.Errorf("env %s: %w", v.Name, err)
			}
			if !found {
				continue
			}
		}
		env = append(env, v.Name+"="+value)
	}
	return env, nil
}

// variable is the value of one variable; what is optional may not be found.
func (n *Node) variable(ctx context.Context, pod *corev1.Pod, c *corev1.Container, from *corev1.EnvVarSource) (value string, found bool, err error) {
	switch {
	case from.FieldRef != nil:
		value, err = volumes.Field(pod, from.FieldRef.FieldPath)
		return value, true, err
	case from.ResourceFieldRef != nil:
		name := from.ResourceFieldRef.ContainerName
		if name == "" {
			name = c.Name
		}
		value, err = volumes.Resource(pod, name, from.ResourceFieldRef)
		return value, true, err
	case from.ConfigMapKeyRef != nil:
		r := from.ConfigMapKeyRef
		var o *corev1.ConfigMap
		if o, err = n.client.CoreV1().ConfigMaps(pod.Namespace).Get(ctx, r.Name, metav1.GetOptions{}); err == nil {
			if value, found = o.Data[r.Key]; !found {
				err = noKey("ConfigMap", r.Name, r.Key)
			}
		}
		return optional(value, found, err, r.Optional)
	case from.SecretKeyRef != nil:
		r := from.SecretKeyRef
		var o *corev1.Secret
		if o, err = n.client.CoreV1().Secrets(pod.Namespace).Get(ctx, r.Name, metav1.GetOptions{}); err == nil {
			var raw []byte
			if raw, found = o.Data[r.Key]; !found {
				err = noKey("Secret", r.Name, r.Key)
			}
			value = string(raw)
		}
		return optional(value, found, err, r.Optional)
	}
	return "", false, fmt.Errorf("this kind of valueFrom has no stand-in")
}

func (n *Node) environmentFrom(ctx context.Context, namespace string, from corev1.EnvFromSource) ([]string, error) {
	var out []string
	var err error
	var may *bool
	if r := from.ConfigMapRef; r != nil {
		may = r.Optional
		var o *corev1.ConfigMap
		if o, err = n.client.CoreV1().ConfigMaps(namespace).Get(ctx, r.Name, metav1.GetOptions{}); err == nil {
			for k, v := range o.Data {
				out = append(out, from.Prefix+k+"="+v)
			}
		}
	}
	if r := from.SecretRef; r != nil {
		may = r.Optional
		var o *corev1.Secret
		if o, err = n.client.CoreV1().Secrets(namespace).Get(ctx, r.Name, metav1.GetOptions{}); err == nil {
			for k, v := range o.Data {
				out = append(out, from.Prefix+k+"="+string(v))
			}
		}
	}
	if apierrors.IsNotFound(err) && may != nil && *may {
		err = nil
	}
	return out, err
}

// keyError is a key that an object has not.
type keyError struct{ kind, name, key string }

func noKey(kind, name, key string) error { return &keyError{kind, name, key} }

func (e *keyError) Error() string { return fmt.Sprintf("%s %s has no key %q", e.kind, e.name, e.key) }

// optional forgives what is missing where this is allowed.
func optional(value string, found bool, err error, may *bool) (string, bool, error) {
	if err == nil || may == nil || !*may {
		return value, found, err
	}
	if missing := (*keyError)(nil); errors.As(err, &missing) || apierrors.IsNotFound(err) {
		return "", false, nil
	}
	return value, found, err
}

// expand replaces $(NAME) by a variable's value. $$(NAME) is $(NAME) literally, and an unknown variable stays as it is.
func expand(text string, env []string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, after, closed := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		switch {
		case strings.HasPrefix(rest, "$"):
			out.WriteByte('$')
			text = rest[1:]
		case strings.HasPrefix(rest, "(") && closed:
			value, known := lookup(env, name)
			if !known {
				value = "$(" + name + ")"
			}
			out.WriteString(value)
			text = after
		default:
			out.WriteByte('$')
			text = rest
		}
	}
}

func expandAll(texts []string, env []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = expand(t, env)
	}
	return out
}

func lookup(env []string, name string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if value, found := strings.CutPrefix(env[i], name+"="); found {
			return value, true
		}
	}
	return "", false
}
