package lastgood

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

// format is the version of the content. Another one is not read, and not deleted as long as it is the only one.
const format = 1

const (
	// maxData is the size of an object's data, in bytes. etcd takes 1.5 MiB with everything around it.
	maxData = 900 << 10
	// maxUnpacked bounds what a compressed content may become.
	maxUnpacked = 64 << 20
)

// content is the data of a ControllerRevision.
type content struct {
	Version  int              `json:"version"`
	Plugin   model.Key        `json:"plugin"`
	Variants []*build.Variant `json:"variants,omitempty"`
	// Gzip is the compressed JSON of the variants, for those that are too large as they are.
	Gzip []byte `json:"gzip,omitempty"`
}

// encode gives an object's name and data. Equal variants have the same name.
func encode(key model.Key, variants []*build.Variant) (name string, data []byte, err error) {
	data, err = json.Marshal(content{Version: format, Plugin: key, Variants: variants})
	if err != nil {
		return "", nil, fmt.Errorf("last good configuration of %s: %w", key, err)
	}
	name = "wasmpoint-" + hash([]byte(key.String()))[:10] + "-" + hash(data)[:12]
	if len(data) <= maxData {
		return name, data, nil
	}
	plain := len(data)
	raw, err := json.Marshal(variants)
	if err != nil {
		return "", nil, fmt.Errorf("last good configuration of %s: %w", key, err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err = w.Write(raw); err == nil {
		err = w.Close()
	}
	if err == nil {
		data, err = json.Marshal(content{Version: format, Plugin: key, Gzip: packed.Bytes()})
	}
	if err != nil {
		return "", nil, fmt.Errorf("last good configuration of %s: %w", key, err)
	}
	if len(data) > maxData {
		return "", nil, fmt.Errorf("last good configuration of %s has %d bytes (%d compressed), more than the %d that an object can hold; it is not kept, "+
			"so a restart while its module is missing finds none; make its pluginConfig smaller", key, plain, len(data), maxData)
	}
	return name, data, nil
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func newObject(namespace, name string, key model.Key, revision int64, data []byte) *appsv1.ControllerRevision {
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels:      map[string]string{Label: "true", "app.kubernetes.io/name": "wasmpoint"},
			Annotations: map[string]string{PluginAnnotation: key.String()},
		},
		Revision: revision, Data: runtime.RawExtension{Raw: data},
	}
}

// decode reads an object. The key is given also with an error, if the annotation names it.
func decode(o *appsv1.ControllerRevision) (model.Key, []*build.Variant, error) {
	key, named := parseKey(o.Annotations[PluginAnnotation])
	fail := func(format string, args ...any) (model.Key, []*build.Variant, error) {
		return key, nil, fmt.Errorf("last good configuration in ControllerRevision %s/%s (%s) cannot be read and is left alone: %w",
			o.Namespace, o.Name, o.Annotations[PluginAnnotation], fmt.Errorf(format, args...))
	}
	if !named {
		return fail("annotation %s is %q, not \"Kind namespace/name\"", PluginAnnotation, o.Annotations[PluginAnnotation])
	}
	var c content
	if err := json.Unmarshal(o.Data.Raw, &c); err != nil {
		return fail("%w", err)
	}
	if c.Version != format {
		return fail("its format is %d, and this wasmpoint reads format %d", c.Version, format)
	}
	if c.Plugin != key {
		return fail("it holds %s", c.Plugin)
	}
	if len(c.Gzip) > 0 {
		raw, err := unpack(c.Gzip)
		if err != nil {
			return fail("%w", err)
		}
		if err := json.Unmarshal(raw, &c.Variants); err != nil {
			return fail("%w", err)
		}
	}
	if len(c.Variants) == 0 {
		return fail("it holds no variant")
	}
	for i, v := range c.Variants {
		if v == nil || v.Hash == "" || v.Plugin != key {
			return fail("variant %d is not one of this plugin", i)
		}
	}
	return key, c.Variants, nil
}

func unpack(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err == nil && len(raw) > maxUnpacked {
		err = errors.New("it unpacks to more than 64 MiB")
	}
	return raw, err
}

func parseKey(s string) (model.Key, bool) {
	kind, rest, ok := strings.Cut(s, " ")
	namespace, name, ok2 := strings.Cut(rest, "/")
	return model.Key{Kind: kind, Namespace: namespace, Name: name}, ok && ok2 && kind != "" && namespace != "" && name != ""
}
