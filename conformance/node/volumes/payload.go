package volumes

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// File is one file of a volume.
type File struct {
	Data []byte
	Mode fs.FileMode
	// Secret files are for the user of the Pod's containers alone.
	Secret bool
}

// Payload is what a volume holds, by path.
type Payload map[string]File

// Source makes payloads.
type Source struct {
	Client kubernetes.Interface
	Tokens *Tokens
}

// Unsupported names the kind of a volume that this package cannot make, "" if it can.
func Unsupported(v corev1.Volume) string {
	s := v.VolumeSource
	if s.EmptyDir != nil || s.ConfigMap != nil || s.Secret != nil || s.DownwardAPI != nil {
		return ""
	}
	if s.Projected == nil {
		return "volume " + v.Name
	}
	for _, p := range s.Projected.Sources {
		if p.ConfigMap == nil && p.Secret == nil && p.DownwardAPI == nil && p.ServiceAccountToken == nil {
			return "a source of the projected volume " + v.Name
		}
	}
	return ""
}

// Payload reads what a volume has to hold now, and when that changes by itself (never: the zero time).
func (s *Source) Payload(ctx context.Context, pod *corev1.Pod, v corev1.Volume) (out Payload, until time.Time, err error) {
	out = Payload{}
	switch {
	case v.ConfigMap != nil:
		c := v.ConfigMap
		err = s.configMap(ctx, out, pod.Namespace, c.Name, c.Items, c.Optional, mode(c.DefaultMode))
	case v.Secret != nil:
		c := v.Secret
		err = s.secret(ctx, out, pod.Namespace, c.SecretName, c.Items, c.Optional, mode(c.DefaultMode))
	case v.DownwardAPI != nil:
		err = downward(out, pod, v.DownwardAPI.Items, mode(v.DownwardAPI.DefaultMode))
	case v.Projected != nil:
		m := mode(v.Projected.DefaultMode)
		for _, p := range v.Projected.Sources {
			switch {
			case err != nil:
			case p.ConfigMap != nil:
				err = s.configMap(ctx, out, pod.Namespace, p.ConfigMap.Name, p.ConfigMap.Items, p.ConfigMap.Optional, m)
			case p.Secret != nil:
				err = s.secret(ctx, out, pod.Namespace, p.Secret.Name, p.Secret.Items, p.Secret.Optional, m)
			case p.DownwardAPI != nil:
				err = downward(out, pod, p.DownwardAPI.Items, m)
			case p.ServiceAccountToken != nil:
				var token Token
				if token, err = s.Tokens.For(ctx, pod, p.ServiceAccountToken); err == nil {
					out[p.ServiceAccountToken.Path] = File{Data: []byte(token.Value), Mode: m, Secret: true}
					if until.IsZero() || token.Renew.Before(until) {
						until = token.Renew
					}
				}
			}
		}
	}
	if err != nil {
		return nil, until, fmt.Errorf("volume %s: %w", v.Name, err)
	}
	return out, until, nil
}

func mode(m *int32) fs.FileMode {
	if m == nil {
		return 0o644
	}
	return fs.FileMode(*m)
}

func (s *Source) configMap(ctx context.Context, out Payload, namespace, name string, items []corev1.KeyToPath, optional *bool, m fs.FileMode) error {
	o, err := s.Client.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && isTrue(optional) {
		return nil
	}
	if err != nil {
		return err
	}
	data := maps.Clone(o.BinaryData)
	if data == nil {
		data = map[string][]byte{}
	}
	for k, v := range o.Data {
		data[k] = []byte(v)
	}
	return pick(out, "ConfigMap "+name, data, items, isTrue(optional), m)
}

func (s *Source) secret(ctx context.Context, out Payload, namespace, name string, items []corev1.KeyToPath, optional *bool, m fs.FileMode) error {
	o, err := s.Client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && isTrue(optional) {
		return nil
	}
	if err != nil {
		return err
	}
	return pick(out, "Secret "+name, o.Data, items, isTrue(optional), m)
}

// pick takes the keys that items name, or all of them.
func pick(out Payload, from string, data map[string][]byte, items []corev1.KeyToPath, optional bool, m fs.FileMode) error {
	if len(items) == 0 {
		for k, v := range data {
			out[k] = File{Data: v, Mode: m}
		}
		return nil
	}
	for _, item := range items {
		v, found := data[item.Key]
		if !found {
			if optional {
				continue
			}
			return fmt.Errorf("%s has no key %q", from, item.Key)
		}
		file := File{Data: v, Mode: m}
		if item.Mode != nil {
			file.Mode = fs.FileMode(*item.Mode)
		}
		out[item.Path] = file
	}
	return nil
}

func downward(out Payload, pod *corev1.Pod, items []corev1.DownwardAPIVolumeFile, m fs.FileMode) error {
	for _, item := range items {
		file := File{Mode: m}
		if item.Mode != nil {
			file.Mode = fs.FileMode(*item.Mode)
		}
		var text string
		var err error
		if item.ResourceFieldRef != nil {
			text, err = Resource(pod, item.ResourceFieldRef.ContainerName, item.ResourceFieldRef)
		} else {
			text, err = Field(pod, item.FieldRef.FieldPath)
		}
		if err != nil {
			return err
		}
		file.Data = []byte(text)
		out[item.Path] = file
	}
	return nil
}

func isTrue(b *bool) bool { return b != nil && *b }
