package cluster

import (
	_ "embed"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/wasmpoint/wasmpoint/manifests/crd"
)

// These are no copies of Istio's files: they have the fields that are read and the rules that the server checks.
var (
	//go:embed testdata/networking.istio.io_serviceentries.yaml
	serviceEntries []byte
	//go:embed testdata/security.istio.io_authorizationpolicies.yaml
	authorizationPolicies []byte
	//go:embed testdata/security.istio.io_requestauthentications.yaml
	requestAuthentications []byte
)

var istioCRDs = []string{"serviceentries.networking.istio.io", "authorizationpolicies.security.istio.io", "requestauthentications.security.istio.io"}

// CRDs are all that can be installed, those of kinds that Istio alone defines excepted, for who installs them elsewhere.
func CRDs() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	known, err := knownCRDs()
	if err != nil {
		return nil, err
	}
	var out []*apiextensionsv1.CustomResourceDefinition
	for _, k := range known {
		if !slices.Contains(istioCRDs, k.Name) {
			out = append(out, k.DeepCopy())
		}
	}
	return out, nil
}

// knownCRDs are all that can be installed: ours, Istio's of which something is read, and Gateway API's standard channel from the module that
// go.mod names.
var knownCRDs = sync.OnceValues(func() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	var out []*apiextensionsv1.CustomResourceDefinition
	for _, data := range [][]byte{crd.WasmPlugins, crd.TrafficExtensions, serviceEntries, authorizationPolicies, requestAuthentications} {
		c := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(data, c); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m sigs.k8s.io/gateway-api: %w", err)
	}
	read := envtest.CRDInstallOptions{
		Paths:              []string{filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "standard")},
		ErrorIfPathMissing: true,
	}
	if err := envtest.ReadCRDFiles(&read); err != nil {
		return nil, fmt.Errorf("CRDs of Gateway API: %w", err)
	}
	return append(out, read.CRDs...), nil
})

// InstallCRDs installs CRDs that were left out at the start, by name, and waits until they are served.
func (c *Cluster) InstallCRDs(names ...string) {
	c.t.Helper()
	c.install(func(name string) bool { return slices.Contains(names, name) }, names)
}

// install installs the known CRDs that want picks; each of names must be the name of a known one.
func (c *Cluster) install(want func(name string) bool, names []string) {
	c.t.Helper()
	known, err := knownCRDs()
	if err != nil {
		c.t.Fatal(err)
	}
	var all []string
	var picked []*apiextensionsv1.CustomResourceDefinition
	for _, k := range known {
		all = append(all, k.Name)
		if want(k.Name) {
			picked = append(picked, k.DeepCopy())
		}
	}
	for _, n := range names {
		if !slices.Contains(all, n) {
			c.t.Fatalf("CRD %q: there is none of this name; the names are %s", n, strings.Join(all, ", "))
		}
	}
	if len(picked) == 0 {
		return
	}
	_, err = envtest.InstallCRDs(c.Config(), envtest.CRDInstallOptions{CRDs: picked, Scheme: c.scheme, MaxTime: startLimit, PollInterval: pollEvery})
	if err != nil {
		c.t.Fatalf("CRDs: %v", err)
	}
}
