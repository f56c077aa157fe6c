package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"sort"
	"strings"

	"github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

const (
	// maxLuaBytes is Istio's bound on inline Lua: the script stands in every copy of the slot.
	maxLuaBytes = 65536
	// reservedEnvPrefix marks variables by which Istio's agent is told the pull secret and the pull policy of a module; a
	// plugin that set them itself could pull with another plugin's credentials.
	reservedEnvPrefix = "ISTIO_META_"
)

var (
	cIdentifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	sha256Hex   = regexp.MustCompile(`^[a-f0-9]{64}$`)
	// hostPort is a scheme-less OCI reference whose registry has a port; URL parsers take its host for a scheme.
	hostPort = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]*:[0-9]+/`)
)

// setWasm fills in the Wasm half; path is where the configuration stands in the object.
func setWasm(p *Plugin, in *v1alpha1.WasmConfig, path string, bad *problems) {
	w := &Wasm{
		URL:             in.URL,
		SHA256:          in.SHA256,
		PullSecret:      in.ImagePullSecret,
		VerificationKey: in.VerificationKey,
		RootID:          in.PluginName,
	}
	p.Wasm = w
	checkURL(in.URL, path+".url", bad)
	if in.SHA256 != "" && !sha256Hex.MatchString(in.SHA256) {
		bad.addf("%s.sha256: %q is not 64 lower-case hex digits", path, in.SHA256)
	}
	switch in.ImagePullPolicy {
	case "", v1alpha1.PullUnspecified:
	case v1alpha1.PullIfNotPresent, v1alpha1.PullAlways:
		w.PullPolicy = string(in.ImagePullPolicy)
	default:
		bad.addf("%s.imagePullPolicy: %q is unknown; use IfNotPresent or Always", path, in.ImagePullPolicy)
	}
	switch in.FailStrategy {
	case "":
	case v1alpha1.FailClose, v1alpha1.FailOpen, v1alpha1.FailReload:
		p.FailStrategy = FailStrategy(in.FailStrategy)
	default:
		bad.addf("%s.failStrategy: %q is unknown; use FAIL_CLOSE, FAIL_OPEN or FAIL_RELOAD", path, in.FailStrategy)
	}
	switch in.Type {
	case "", v1alpha1.TypeUnspecified:
	case v1alpha1.TypeHTTP, v1alpha1.TypeNetwork:
		p.Type = Type(in.Type)
	default:
		bad.addf("%s.type: %q is unknown; use HTTP or NETWORK", path, in.Type)
	}
	if in.PluginConfig != nil {
		config, err := canonicalJSON(in.PluginConfig.Raw)
		if err != nil {
			bad.addf("%s.pluginConfig: %v", path, err)
		}
		w.Config = config
	}
	if in.VMConfig != nil {
		w.Env = env(in.VMConfig.Env, path+".vmConfig.env", bad)
	}
}

func env(in []v1alpha1.EnvVar, path string, bad *problems) []EnvVar {
	var out []EnvVar
	seen := map[string]bool{}
	for i, e := range in {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case e.Name == "":
			bad.addf("%s.name: must not be empty", at)
		case !cIdentifier.MatchString(e.Name):
			bad.addf("%s.name: %q is not a C identifier; use letters, digits and _, and no digit first", at, e.Name)
		case strings.HasPrefix(e.Name, reservedEnvPrefix):
			bad.addf("%s.name: %q has the reserved prefix %s; choose another name", at, e.Name, reservedEnvPrefix)
		case seen[e.Name]:
			bad.addf("%s.name: %q stands twice; remove one", at, e.Name)
		}
		seen[e.Name] = true
		v := EnvVar{Name: e.Name, Value: e.Value}
		switch e.ValueFrom {
		case "", v1alpha1.EnvInline:
		case v1alpha1.EnvHost:
			v.FromHost = true
			if e.Value != "" {
				bad.addf("%s.value: %q is set although valueFrom is HOST; remove one of the two", at, e.Value)
			}
		default:
			bad.addf("%s.valueFrom: %q is unknown; use INLINE or HOST", at, e.ValueFrom)
		}
		out = append(out, v)
	}
	return out
}

// checkURL accepts what Istio accepts and, beyond it, host:port/... without a scheme (an OCI reference).
func checkURL(s, path string, bad *problems) {
	switch {
	case s == "":
		bad.addf("%s: must name the module, for example oci://registry.example/plugin:1", path)
		return
	case hostPort.MatchString(s):
		return
	}
	u, err := url.Parse(s)
	if err != nil {
		// A scheme-less reference may be unparsable because of its port, as 127.0.0.1:5000/x is.
		u, err = url.Parse("http://" + s)
	}
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		bad.addf("%s: %q cannot be parsed: %v", path, s, err)
		return
	}
	switch u.Scheme {
	case "", "oci", "http", "https", "file":
	default:
		bad.addf("%s: %q: scheme %q is not supported; use oci, http, https or file, or no scheme for an OCI image", path, s, u.Scheme)
	}
}

func lua(code string, bad *problems) string {
	if code == "" {
		bad.add("spec.lua.inlineCode: must not be empty")
	}
	if len(code) > maxLuaBytes {
		bad.addf("spec.lua.inlineCode: %d bytes are more than %d; shorten the script", len(code), maxLuaBytes)
	}
	return code
}

// canonicalJSON gives an object the one form in which equal configurations are equal bytes: keys sorted, no space.
// Numbers keep the digits that the user wrote. JSON's null is no configuration.
func canonicalJSON(raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("is not JSON: something follows the object")
	}
	if v == nil {
		return nil, nil
	}
	if _, ok := v.(map[string]any); !ok {
		return nil, fmt.Errorf("must be an object, and is %s", jsonKind(v))
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	// A copy, because the buffer is several times as large.
	return bytes.Clone(bytes.TrimSuffix(out.Bytes(), []byte("\n"))), nil
}

func jsonKind(v any) string {
	switch v.(type) {
	case []any:
		return "a list"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	default:
		return "a number"
	}
}

// problems collects what is wrong with one object, in the order of its fields.
type problems []string

func (p *problems) add(s string)            { *p = append(*p, s) }
func (p *problems) addf(f string, a ...any) { p.add(fmt.Sprintf(f, a...)) }
func (p problems) text() string             { return strings.Join(p, "; ") }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
